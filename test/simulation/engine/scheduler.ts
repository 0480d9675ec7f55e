import type { Random } from '#libs/runtime';

interface Entry {
  readonly at: number;
  /** Drawn: what falls due in the same millisecond happens in an order that only the seed knows. */
  readonly order: number;
  readonly arrival: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Takes an event back; harmless once it has happened. */
export type Cancel = () => void;

/** More steps than any run needs, in one millisecond and in all: who takes them spins. */
const STEPS_IN_A_MILLISECOND = 5_000;
const MOST_STEPS = 400_000;
/** More than all calls and sleeps that begin in one step: a chain of promises that waits for nothing never lets time go on. */
const BEGUN_IN_A_STEP = 50_000;

/** The run goes on for ever. */
export class NoRest extends Error {}

/**
 * The one thing that makes time pass and promises resolve. Everything that a process waits for ends here, so the order of all steps follows from
 * the seed. Between two events all promise chains run to their next wait.
 */
export class Scheduler {
  /** Epoch milliseconds. */
  now: number;
  readonly startedAt: number;
  /** Events that have happened. */
  steps = 0;
  private readonly heap: Entry[] = [];
  private arrivals = 0;
  private arrivedBefore = 0;
  private stepsBefore = 0;
  private spins: NoRest | undefined;
  private readonly listening = new Set<() => void>();
  private readonly random: Random;

  constructor(random: Random, startMs = Date.UTC(2026, 0, 5, 8)) {
    this.random = random;
    this.now = startMs;
    this.startedAt = startMs;
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.now - this.startedAt;
  }

  /** A step that begins too much begins no more: what it waits for then never comes, so that even a chain that catches all errors stops. */
  at(time: number, run: () => void): Cancel {
    if (!this.mayBegin()) return () => undefined;
    const entry: Entry = {
      at: Math.max(this.now, time),
      order: this.random.next(),
      arrival: this.arrivals,
      run,
      cancelled: false,
    };
    push(this.heap, entry);
    return () => {
      entry.cancelled = true;
    };
  }

  /** Says how to stop listening to a signal, for {@link close}, until it is taken back because that has happened. */
  listens(stop: () => void): Cancel {
    this.listening.add(stop);
    return () => this.listening.delete(stop);
  }

  /**
   * The run is over, and nothing of it happens any more. Node keeps what listens to a signal made of others for as long as it listens: processes that
   * wait for ever would keep the whole world of each run.
   */
  close(): void {
    for (const stop of this.listening) stop();
    this.listening.clear();
  }

  after(ms: number, run: () => void): Cancel {
    return this.at(this.now + ms, run);
  }

  /** Throws {@link NoRest} when time does not go on. Lets things happen until `until` (epoch ms) or until `enough` says so; false when nothing is left to happen. */
  async run(until: number, enough: () => boolean = () => false): Promise<boolean> {
    for (;;) {
      const next = this.heap[0];
      if (!next) return false;
      if (next.at > until) {
        this.now = Math.max(this.now, until);
        return true;
      }
      pop(this.heap);
      if (next.cancelled) continue;
      if (next.at > this.now) this.stepsBefore = this.steps;
      this.now = next.at;
      this.steps += 1;
      this.arrivedBefore = this.arrivals;
      next.run();
      await settled();
      this.mustRest();
      if (enough()) return true;
    }
  }

  /** Counts what a step begins; false: it spins, and must get no answer. */
  mayBegin(): boolean {
    this.arrivals += 1;
    if (this.arrivals - this.arrivedBefore <= BEGUN_IN_A_STEP) return true;
    this.spins ??= new NoRest(`${BEGUN_IN_A_STEP} calls in one step`);
    return false;
  }

  private mustRest(): void {
    if (this.spins) throw this.spins;
    if (this.steps - this.stepsBefore > STEPS_IN_A_MILLISECOND)
      throw new NoRest(`${STEPS_IN_A_MILLISECOND} steps in one millisecond`);
    if (this.steps > MOST_STEPS) throw new NoRest(`${MOST_STEPS} steps`);
  }
}

/** One turn of the event loop: every promise chain has run to its next wait, for nothing here waits for real I/O. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Entry, b: Entry): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.order !== b.order ? a.order < b.order : a.arrival < b.arrival;
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(entry, heap[parent]!)) break;
    heap[index] = heap[parent]!;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
    if (!before(heap[child]!, last)) break;
    heap[index] = heap[child]!;
    index = child;
  }
  heap[index] = last;
}
