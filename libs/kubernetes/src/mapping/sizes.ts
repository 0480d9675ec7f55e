/**
 * The sizes ECI sells, and the one a pod gets. Source: ECI docs, "Limits on vCPU and memory" (specification page). You pay for the rounded size.
 */

/** vCPU → GiB that every region has. */
const EVERYWHERE: readonly (readonly [cpu: number, memory: readonly number[]])[] = [
  [0.25, [0.5, 1]],
  [0.5, [1, 2]],
  [1, [2, 4, 8]],
  [2, [1, 2, 4, 8, 16]],
  [4, [2, 4, 8, 16, 32]],
  [8, [4, 8, 16, 32, 64]],
  [12, [12, 24, 48, 96]],
  [16, [16, 32, 64, 128]],
  [24, [24, 48, 96, 192]],
  [32, [32, 64, 128, 256]],
  [52, [96, 192, 384]],
  [64, [128, 256, 512]],
];

const steps = (from: number, to: number, without: readonly number[] = []): number[] =>
  Array.from({ length: (to - from) / 2 + 1 }, (_, index) => from + 2 * index).filter((size) => !without.includes(size));

/** More memory steps of some regions; not for spot, and not every zone of a region has them. */
const EXTRA: readonly (readonly [cpu: number, memory: readonly number[]])[] = [
  [2, [6, 10, 12, 14]],
  [4, steps(6, 30, [8, 16])],
  [6, steps(6, 48)],
  [8, steps(10, 62, [16, 32])],
];

const REGIONS_WITH_EXTRA: ReadonlySet<string> = new Set([
  'cn-hangzhou',
  'cn-shanghai',
  'cn-qingdao',
  'cn-beijing',
  'cn-zhangjiakou',
  'cn-huhehaote',
  'cn-wulanchabu',
  'cn-shenzhen',
  'cn-heyuan',
  'cn-guangzhou',
  'cn-chengdu',
  'ap-southeast-1',
]);

export interface Size {
  readonly cpu: number;
  readonly memoryGiB: number;
}

const flat = (table: typeof EVERYWHERE): Size[] =>
  table.flatMap(([cpu, memories]) => memories.map((memoryGiB) => ({ cpu, memoryGiB })));
const bySize = (a: Size, b: Size): number => a.cpu - b.cpu || a.memoryGiB - b.memoryGiB;

const STANDARD: readonly Size[] = flat(EVERYWHERE).sort(bySize);
const WITH_EXTRA: readonly Size[] = [...STANDARD, ...flat(EXTRA)].sort(bySize);
/**
 * Spot by size: from 2 vCPU, and only sizes that classic ECS families have (1:2, 1:4, 1:8; 52-96 among them). Else ECI answers
 * InvalidSpotCpuMemorySpec. Which sizes exactly is not published; this is the narrow reading.
 */
const SPOT: readonly Size[] = STANDARD.filter(({ cpu, memoryGiB }) => cpu >= 2 && memoryGiB / cpu > 1.5);

export const LARGEST: Size = { cpu: 64, memoryGiB: 512 };
/** What a pod gets that states nothing (ECI docs, CreateContainerGroup). */
const UNSTATED = '2-4Gi';

export const formatSize = ({ cpu, memoryGiB }: Size): string => `${cpu}-${memoryGiB}Gi`;

// 1e-9: sums of decimal fractions such as 0.1 + 0.2 must not cross a step.
const fitting = (sizes: readonly Size[], need: Size): Size | undefined =>
  sizes.find((size) => size.cpu >= need.cpu - 1e-9 && size.memoryGiB >= need.memoryGiB - 1e-9);

/**
 * Smallest sizes that hold the need: least vCPU first, then least memory. A size that only some zones sell is followed by the one that all have.
 * Empty when nothing is large enough. A need of zero memory (or cpu) gets the smallest valid pair.
 */
export function sizesFor(need: Size, region: string, spot: boolean): string[] {
  if (need.cpu <= 0 && need.memoryGiB <= 0) return [UNSTATED];
  const standard = fitting(spot ? SPOT : STANDARD, need);
  if (!standard) return [];
  if (spot || !REGIONS_WITH_EXTRA.has(region)) return [formatSize(standard)];
  const nearest = fitting(WITH_EXTRA, need) ?? standard;
  return [...new Set([formatSize(nearest), formatSize(standard)])];
}
