import { z } from 'zod';

export const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

const PORT = 'must be a port, 0 to 65535';
/** 0 = any free one, where it is listened on. */
export const port = z.coerce.number(PORT).int(PORT).min(0).max(65_535);

/** Parts between commas, without the spaces around them; empty ones do not count. */
export function list<T extends z.ZodType>(of: z.ZodArray<T>) {
  return z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .pipe(of as z.ZodType<z.output<T>[], string[]>);
}
