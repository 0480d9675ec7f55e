/** Sizes that ECI sells and how a request is rounded to one (ECI docs, "instance specifications"). */
import { invalid, WireError } from './wire-error.ts';

export interface Size {
  /** vCPU. */
  readonly cpu: number;
  /** GiB. */
  readonly memory: number;
  /** ECS type, when one was asked for. */
  readonly instanceType?: string;
}

const evens = (from: number, to: number): number[] =>
  Array.from({ length: (to - from) / 2 + 1 }, (_, step) => from + 2 * step);

/** vCPU → GiB sold everywhere. These are also the sizes that may be bought as spot from 2 vCPU. */
const CLASSIC: readonly (readonly [number, readonly number[]])[] = [
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

/** Further sizes of some regions; never as spot. */
const EXTRA: readonly (readonly [number, readonly number[]])[] = [
  [2, evens(6, 14)],
  [4, evens(6, 30)],
  [6, evens(6, 48)],
  [8, evens(10, 62)],
];

function sizes(extra: boolean): readonly (readonly [number, readonly number[]])[] {
  const merged = new Map<number, number[]>(CLASSIC.map(([cpu, memories]) => [cpu, [...memories]]));
  if (extra) {
    for (const [cpu, memories] of EXTRA)
      merged.set(
        cpu,
        [...new Set([...(merged.get(cpu) ?? []), ...memories])].sort((a, b) => a - b),
      );
  }
  return [...merged].sort(([a], [b]) => a - b);
}

const TABLES = { classic: sizes(false), extra: sizes(true) } as const;

/** The nearest size with at least this much of both: smallest vCPU first, then smallest memory. */
export function roundUp(cpu: number, memory: number, extraSizes: boolean): Size {
  for (const [tableCpu, memories] of extraSizes ? TABLES.extra : TABLES.classic) {
    if (tableCpu + 1e-9 < cpu) continue;
    const fitting = memories.find((gib) => gib + 1e-9 >= memory);
    if (fitting !== undefined) return { cpu: tableCpu, memory: fitting };
  }
  throw invalid(`No size has ${cpu} vCPU and ${memory} GiB.`, 'InvalidParameter.CPU.Memory');
}

export function isSpotSize({ cpu, memory, instanceType }: Size): boolean {
  if (instanceType) return true;
  return cpu >= 2 && CLASSIC.some(([tableCpu, memories]) => tableCpu === cpu && memories.includes(memory));
}

/** `2-4Gi`, or the ECS type. The key under which stock is kept. */
export function specOf(size: Size): string {
  return size.instanceType ?? `${size.cpu}-${size.memory}Gi`;
}

/** `ecs.c6` of `ecs.c6.large`; undefined for plain sizes. */
export function familyOf(size: Size): string | undefined {
  return size.instanceType?.split('.').slice(0, 2).join('.');
}

const GIB_PER_VCPU: Readonly<Record<string, number>> = { c: 2, g: 4, r: 8, hf: 4, u: 4, s: 4, t: 2 };

/** One member of `InstanceType`: `2-4Gi` (rounded) or an ECS type such as `ecs.c6.xlarge`. */
export function parseSpec(text: string, extraSizes: boolean): Size {
  const plain = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)Gi$/.exec(text);
  if (plain) return roundUp(Number(plain[1]), Number(plain[2]), extraSizes);
  const ecs = /^ecs\.([a-z]+)[a-z0-9-]*\.(?:(large)|(\d*)xlarge)$/.exec(text);
  if (!ecs) throw new WireError('InvalidInstanceTypeForEciBuy', 400, `The instance type ${text} is not sold by ECI.`);
  const cpu = ecs[2] ? 2 : 4 * Number(ecs[3] || '1');
  const ratio = GIB_PER_VCPU[ecs[1]!] ?? GIB_PER_VCPU[ecs[1]![0]!] ?? 4;
  return { cpu, memory: cpu * ratio, instanceType: text };
}
