/** Settings of the fleet that are more than a word or a number: durations, what becomes of orphans, prices. */
import { z } from 'zod';
import type { ListPrice } from '#libs/domain';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90s`, `15m`, `2h` or `1d`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  return match ? Number(match[1]) * (UNITS_MS[match[2] as string] as number) : undefined;
}

export const Duration = z.string().transform((text, context) => {
  const ms = durationMs(text);
  if (ms !== undefined && ms > 0) return ms;
  context.addIssue({ code: 'custom', message: 'must be a number with s, m, h or d, such as 90s or 5m' });
  return z.NEVER;
});

/** What becomes of orphans in quarantine without an operator. */
export type OrphanPolicy =
  { readonly kind: 'quarantine' } | { readonly kind: 'remove-after'; readonly afterMs: number };

export const OrphanPolicySetting = z.string().transform((text, context): OrphanPolicy => {
  if (text === 'quarantine') return { kind: 'quarantine' };
  const afterMs = text.startsWith('remove-after:') ? durationMs(text.slice('remove-after:'.length)) : undefined;
  if (afterMs !== undefined) return { kind: 'remove-after', afterMs };
  context.addIssue({
    code: 'custom',
    message: 'must be quarantine or remove-after:<duration>, such as remove-after:12h',
  });
  return z.NEVER;
});

const Prices = z
  .array(
    z.object({
      regions: z.string().min(1),
      currency: z.string().regex(/^[A-Z]{3}$/, 'is a code of three letters, such as CNY'),
      vCpuHour: z.number().min(0),
      gibHour: z.number().min(0),
    }),
  )
  .min(1);

export const PricesSetting = z.string().transform((text, context): readonly ListPrice[] => {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const parsed = Prices.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue ? ['$', ...issue.path].join('.') : '$';
  context.addIssue({
    code: 'custom',
    message: `must be JSON such as [{"regions":"cn-*","currency":"CNY","vCpuHour":0.18,"gibHour":0.022}] (${where}: ${issue?.message ?? 'unreadable'})`,
  });
  return z.NEVER;
});
