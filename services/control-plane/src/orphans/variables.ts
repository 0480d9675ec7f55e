import { durationMs, parseJson, section } from '#libs/configuration';
import { DEFAULT_PRICES, type ListPrice } from '#libs/domain';
import { z } from 'zod';

/** What becomes of orphans in quarantine without an operator. */
export type OrphanPolicy =
  { readonly kind: 'quarantine' } | { readonly kind: 'remove-after'; readonly afterMs: number };

interface OrphanSettings {
  readonly orphanPolicy: OrphanPolicy;
  readonly prices: readonly ListPrice[];
}

const policy = z.string().transform((text, context): OrphanPolicy => {
  if (text === 'quarantine') return { kind: 'quarantine' };
  const afterMs = text.startsWith('remove-after:') ? durationMs(text.slice('remove-after:'.length)) : undefined;
  if (afterMs !== undefined) return { kind: 'remove-after', afterMs };
  context.addIssue({
    code: 'custom',
    message: 'must be quarantine or remove-after:<duration>, such as remove-after:12h',
  });
  return z.NEVER;
});

const price = z.object({
  regions: z.string().min(1),
  currency: z.string().regex(/^[A-Z]{3}$/, 'is a code of three letters, such as CNY'),
  vCpuHour: z.number().min(0),
  gibHour: z.number().min(0),
});

const prices = z.string().transform((text, context): readonly ListPrice[] => {
  const parsed = z.array(price).min(1).safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue ? ['$', ...issue.path].join('.') : '$';
  context.addIssue({
    code: 'custom',
    message: `must be JSON such as [{"regions":"cn-*","currency":"CNY","vCpuHour":0.18,"gibHour":0.022}] (${where}: ${issue?.message ?? 'unreadable'})`,
  });
  return z.NEVER;
});

export const orphans = section({
  variables: {
    FLEET_ORPHAN_POLICY: {
      meaning:
        'what becomes of orphans: quarantine (an operator decides) or remove-after:<duration>, such as remove-after:12h',
      default: 'quarantine',
      schema: policy,
    },
    FLEET_PRICES: {
      meaning:
        'list prices for estimates: JSON list of {regions, currency, vCpuHour, gibHour}; the first that fits counts',
      otherwise: 'published on-demand prices of mainland China in CNY, elsewhere in USD',
      schema: prices,
    },
  },
  settings: (v): OrphanSettings => ({
    orphanPolicy: v.FLEET_ORPHAN_POLICY,
    prices: v.FLEET_PRICES ?? DEFAULT_PRICES,
  }),
});
