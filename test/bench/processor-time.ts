import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const TICK_MS = 10;

/** A part by name, with the process that it is or that began it. */
type Parts = Readonly<Record<string, number>>;

interface Times {
  readonly parts: ReadonlyMap<string, number>;
  /** Of the whole machine. */
  readonly busy: number;
  readonly all: number;
}

/** Who used the processors: a latency on a busy machine says more about the machine. Linux only; elsewhere there is nothing to say. */
export class ProcessorTime {
  readonly #parts: Parts;
  #before: Times | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  begin(): void {
    this.#before = read(this.#parts);
  }

  /**
   * Since `begin`: `busy 93 %: kube-apiserver 31 %, …, others 20 %`; all shares of all processors. With `per`, what one piece of work cost:
   * `6.2 ms a pod: kube-apiserver 3.1, …`, without what others used.
   */
  end(per?: { readonly count: number; readonly unit: string }): string {
    const after = read(this.#parts);
    const before = this.#before;
    if (after === undefined || before === undefined) return 'not known on this system';
    const all = after.all - before.all;
    const percent = (ms: number): string => `${Math.round((100 * ms) / all)} %`;
    const shares = [...after.parts]
      .map(([name, ms]) => [name, ms - (before.parts.get(name) ?? 0)] as const)
      .sort((a, b) => b[1] - a[1]);
    const busy = after.busy - before.busy;
    const used = shares.reduce((sum, [, ms]) => sum + ms, 0);
    const list = [...shares, ['others', Math.max(0, busy - used)] as const];
    const text = `busy ${percent(busy)}: ${list.map(([name, ms]) => `${name} ${percent(ms)}`).join(', ')}`;
    if (per === undefined) return text;
    const each = (ms: number): string => (ms / per.count).toFixed(1);
    const costs = shares.map(([name, ms]) => `${name} ${each(ms)}`).join(', ');
    return `${text}; ${each(used)} ms a ${per.unit}: ${costs}`;
  }

  /** Milliseconds of each part since `begin`; empty on systems that do not say. */
  spent(): ReadonlyMap<string, number> {
    const after = read(this.#parts);
    const before = this.#before;
    if (after === undefined || before === undefined) return new Map();
    return new Map([...after.parts].map(([name, ms]) => [name, ms - (before.parts.get(name) ?? 0)]));
  }
}

function read(parts: Parts): Times | undefined {
  try {
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = (
      /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
    )
      .split(' ')
      .map((ticks) => Number(ticks) * TICK_MS);
    const busy = user + nice + system + irq + softIrq + steal;
    const processes = readProcesses();
    // Every part is a child of ours, so ours is the time of this process alone.
    const times = [
      ...Object.entries(parts).map(([name, pid]) => [name, timeOfTree(pid, processes)] as const),
      ['bench', processes.get(process.pid)?.ms ?? 0] as const,
    ];
    return { parts: new Map(times), busy, all: busy + idle + wait };
  } catch {
    return undefined;
  }
}

interface Process {
  readonly parent: number;
  readonly ms: number;
}

function readProcesses(): ReadonlyMap<number, Process> {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name of the program stands in parentheses and may hold anything.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
        .map(Number);
      const ticks = (fields[11] ?? 0) + (fields[12] ?? 0);
      processes.set(Number(name), { parent: fields[1] ?? 0, ms: ticks * TICK_MS });
    } catch {
      continue; // It ended meanwhile.
    }
  }
  return processes;
}

function timeOfTree(root: number, processes: ReadonlyMap<number, Process>): number {
  let ms = processes.get(root)?.ms ?? 0;
  for (const [pid, { parent }] of processes) if (parent === root) ms += timeOfTree(pid, processes);
  return ms;
}
