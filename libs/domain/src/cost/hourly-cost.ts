/** List price of container groups in some regions, pay as you go. */
export interface ListPrice {
  /** A region, a beginning that ends in `*`, or `*` for all. Of several prices the first that fits counts. */
  readonly regions: string;
  /** ISO 4217. */
  readonly currency: string;
  readonly vCpuHour: number;
  readonly gibHour: number;
}

/**
 * On-demand list prices as published (ECI docs, billing: 0.000049 CNY per vCPU second and 0.00000613 CNY per GiB second in mainland China;
 * the international example says 0.0000077 USD and 0.00000096 USD). Discounts, reserved capacity, spot and other regions' own prices are not in
 * them: set your own where it matters.
 */
export const DEFAULT_PRICES: readonly ListPrice[] = [
  { regions: 'cn-hongkong', currency: 'USD', vCpuHour: 0.02772, gibHour: 0.003456 },
  { regions: 'cn-*', currency: 'CNY', vCpuHour: 0.1764, gibHour: 0.022068 },
  { regions: '*', currency: 'USD', vCpuHour: 0.02772, gibHour: 0.003456 },
];

interface GroupSize {
  /** Size (`2-4Gi`) or ECS type. */
  readonly spec?: string | undefined;
  readonly cpu?: number | undefined;
  readonly memoryGiB?: number | undefined;
}

type HourlyCost =
  /** Never a bill: a list price times the size that the cloud names. */
  | { readonly kind: 'estimated'; readonly perHour: number; readonly currency: string; readonly basis: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** What a container group costs in an hour, as far as it can be said. */
export function hourlyCost(size: GroupSize, region: string, prices: readonly ListPrice[] = DEFAULT_PRICES): HourlyCost {
  const { spec, cpu, memoryGiB } = size;
  if (spec?.startsWith('ecs.')) return { kind: 'unknown', why: `ECS type ${spec} has a price of its own` };
  if (cpu === undefined || memoryGiB === undefined) return { kind: 'unknown', why: 'the cloud did not say its size' };
  const price = prices.find(({ regions }) => fits(regions, region));
  if (!price) return { kind: 'unknown', why: `no price is set for region ${region}` };
  return {
    kind: 'estimated',
    perHour: rounded(cpu * price.vCpuHour + memoryGiB * price.gibHour),
    currency: price.currency,
    basis: `${cpu} vCPU × ${price.vCpuHour} + ${memoryGiB} GiB × ${price.gibHour} ${price.currency} an hour, on-demand list price`,
  };
}

interface CostSum {
  /** Per hour, by currency. */
  readonly perHour: Readonly<Record<string, number>>;
  /** Groups whose cost is not known, and so not in the sums. */
  readonly unknown: number;
}

export function sumOfCosts(costs: readonly HourlyCost[]): CostSum {
  const perHour: Record<string, number> = {};
  for (const cost of costs) {
    if (cost.kind === 'estimated') perHour[cost.currency] = rounded((perHour[cost.currency] ?? 0) + cost.perHour);
  }
  return { perHour, unknown: costs.filter(({ kind }) => kind === 'unknown').length };
}

const fits = (pattern: string, region: string): boolean =>
  pattern.endsWith('*') ? region.startsWith(pattern.slice(0, -1)) : pattern === region;

const rounded = (amount: number): number => Math.round(amount * 10_000) / 10_000;
