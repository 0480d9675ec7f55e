import { z } from 'zod';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90s`, `15m`, `2h` or `1d`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match ? Number(match[1]) * (UNITS_MS[match[2] as string] as number) : undefined;
}

/** The shortest way to write it; milliseconds that are whole seconds. */
export function durationText(ms: number): string {
  const [unit, unitMs] = Object.entries(UNITS_MS).findLast(([, each]) => ms % each === 0) ?? ['s', 1_000];
  return `${ms / unitMs}${unit}`;
}

/** More than nothing, in milliseconds. */
export const duration = z.string().transform((text, context) => {
  const ms = durationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  context.addIssue({ code: 'custom', message: 'must be a number with s, m, h or d, such as 90s or 5m' });
  return z.NEVER;
});
