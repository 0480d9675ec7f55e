/**
 * How pods of a production cluster came, what they asked for and how they ended: quantiles of 8,152 pods of Alibaba's public cluster trace
 * `cluster-trace-gpu-v2023` (described in "Beware of Fragmentation", USENIX ATC 2023). Only these figures are used, not the data.
 */

/** Requests (milli-cores, MiB) and how many pods of the trace had them; the seventeen most frequent. */
export const SHAPES: readonly { readonly milliCpu: number; readonly memoryMiB: number; readonly weight: number }[] = [
  { milliCpu: 3152, memoryMiB: 5600, weight: 1592 },
  { milliCpu: 11300, memoryMiB: 49152, weight: 857 },
  { milliCpu: 11908, memoryMiB: 47104, weight: 778 },
  { milliCpu: 8000, memoryMiB: 30517, weight: 649 },
  { milliCpu: 11400, memoryMiB: 48128, weight: 534 },
  { milliCpu: 12500, memoryMiB: 57344, weight: 364 },
  { milliCpu: 32000, memoryMiB: 49152, weight: 284 },
  { milliCpu: 18708, memoryMiB: 64512, weight: 255 },
  { milliCpu: 9810, memoryMiB: 41560, weight: 195 },
  { milliCpu: 4000, memoryMiB: 22888, weight: 189 },
  { milliCpu: 4000, memoryMiB: 15258, weight: 182 },
  { milliCpu: 12000, memoryMiB: 24576, weight: 162 },
  { milliCpu: 15700, memoryMiB: 58368, weight: 158 },
  { milliCpu: 4152, memoryMiB: 10600, weight: 152 },
  { milliCpu: 4000, memoryMiB: 30517, weight: 136 },
  { milliCpu: 15400, memoryMiB: 51200, weight: 120 },
  { milliCpu: 8000, memoryMiB: 16384, weight: 106 },
];

type Quantiles = readonly (readonly [share: number, seconds: number])[];

/** Seconds between two arrivals. Bursty: the mean is ten times the median. */
export const SECONDS_BETWEEN_ARRIVALS: Quantiles = [
  [0, 0],
  [0.05, 1],
  [0.1, 6],
  [0.25, 45],
  [0.5, 161],
  [0.75, 437],
  [0.9, 948],
  [0.95, 1469],
  [0.99, 3426],
  [1, 6000],
];

/** Seconds from creation to deletion. */
export const SECONDS_OF_LIFE: Quantiles = [
  [0, 5],
  [0.01, 12],
  [0.05, 48],
  [0.1, 80],
  [0.25, 167],
  [0.5, 540],
  [0.75, 1974],
  [0.9, 6574],
  [0.95, 16425],
  [1, 99719],
];

/** Of the pods that were placed: 5,193 ran until they were deleted, 1,870 failed, 192 succeeded. */
export const ENDINGS = [
  { ending: 'deleted', weight: 5193 },
  { ending: 'failed', weight: 1870 },
  { ending: 'succeeded', weight: 192 },
] as const;

/** Linear between the given quantiles; `u` is uniform in [0, 1). */
export function quantile(table: Quantiles, u: number): number {
  const above = table.findIndex(([share]) => share > u);
  const [hiShare, hi] = table[above === -1 ? table.length - 1 : above] as readonly [number, number];
  const [loShare, lo] = table[Math.max(0, above - 1)] as readonly [number, number];
  return hiShare === loShare ? hi : lo + ((u - loShare) / (hiShare - loShare)) * (hi - lo);
}

export function weighted<T extends { readonly weight: number }>(list: readonly T[], u: number): T {
  let left = u * list.reduce((sum, item) => sum + item.weight, 0);
  return list.find((item) => (left -= item.weight) < 0) ?? (list.at(-1) as T);
}
