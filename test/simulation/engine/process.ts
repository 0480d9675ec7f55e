import { Clock, type Random } from '#libs/runtime';
import type { Bell } from './bell.ts';
import type { Scheduler } from './scheduler.ts';

/** What faults make of one call of a process through a port. */
export interface CallFate {
  /** Milliseconds until the other side has the call; default a moment. */
  readonly delayMs?: number;
  /** The call never reaches the other side: this is thrown instead. */
  readonly refuse?: unknown;
  /** The other side did it, and its answer is lost: this is thrown instead. */
  readonly loseAnswer?: unknown;
  /** Milliseconds until the answer arrives. */
  readonly answerDelayMs?: number;
  /** The process dies once the other side has done it, before it hears of that. */
  readonly dieBeforeAnswer?: boolean;
}

/** May interfere with the calls of processes. `call` is `<port>.<method>`; `args` are empty for a call that is no method of a port. */
export type CallFaults = (process: Process, call: string, args: readonly unknown[]) => CallFate | undefined;

export interface IdleSleep {
  /** What the sleeper waits for. */
  readonly bell: Bell;
  /** Longest sleep, milliseconds, if nothing rings; asked when it begins. */
  readonly maxMs: () => number;
  /** A sleep that is stretched takes at least so many milliseconds, whatever rings; default what the sleeper asked for. */
  readonly minMs?: number;
  /** Only sleeps of at least this many milliseconds are stretched; default 100. */
  readonly fromMs?: number;
}

interface ProcessParts {
  readonly name: string;
  readonly scheduler: Scheduler;
  /** Draws latencies. */
  readonly random: Random;
  readonly faults: CallFaults;
  /** Told once, when it dies. */
  readonly onCrash?: (process: Process) => void;
}

const NEVER = new Promise<never>(() => undefined);

/**
 * One operating system process: it dies between any two of its steps, and it can be stopped and go on later. All that can make it go on, answers of
 * ports, ends of sleeps, callbacks, passes through {@link Process.deliver}; a dead one is never called again, whatever it still waits for.
 */
export class Process {
  readonly name: string;
  alive = true;
  paused = false;
  /** How far its clock is off, milliseconds. */
  clockOffsetMs = 0;
  /** Places where it could have died so far. */
  waits = 0;
  /** Dies at its so-many-th wait from now on. */
  dieAtWait: number | undefined;
  /** Told once when it dies; for whoever wants to know whether it did. */
  onDeath: (() => void) | undefined;
  private readonly parts: ProcessParts;
  private pending: (() => void)[] = [];
  readonly clock: Clock;

  constructor(parts: ProcessParts) {
    this.name = parts.name;
    this.parts = parts;
    this.clock = this.clockWith();
  }

  crash(): void {
    if (!this.alive) return;
    this.alive = false;
    this.pending = [];
    this.onDeath?.();
    this.parts.onCrash?.(this);
  }

  /** As by SIGSTOP: what it has sent goes its way, what comes for it waits. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.alive || !this.paused) return;
    this.paused = false;
    const waiting = this.pending;
    this.pending = [];
    // Each in its own step, so that their order is drawn and each runs to its next wait.
    for (const run of waiting) this.parts.scheduler.after(0, () => this.deliver(run));
  }

  /** Lets the process go on with `run`: now, when it goes on after a pause, or never. */
  deliver(run: () => void): void {
    if (!this.alive) return;
    if (this.paused) {
      this.pending.push(run);
      return;
    }
    this.waits += 1;
    if (this.dieAtWait !== undefined && this.waits >= this.dieAtWait) {
      this.crash();
      return;
    }
    run();
  }

  /** A clock of this process; with `idle`, long sleeps are stretched until the bell rings. */
  clockWith(idle?: IdleSleep): Clock {
    return new ProcessClock(this, this.parts.scheduler, idle);
  }

  /** A call to the world outside. */
  call<T>(call: string, operation: () => Promise<T> | T, args: readonly unknown[] = []): Promise<T> {
    if (!this.alive) return NEVER;
    const { scheduler, random, faults } = this.parts;
    const fate = faults(this, call, args) ?? {};
    // The fault may be that it dies here, before anything was sent.
    if (!this.alive) return NEVER;
    return new Promise<T>((resolve, reject) => {
      const arrive = fate.delayMs ?? Math.floor(random.next() * 3);
      const answer = (end: () => void): void => {
        if (fate.dieBeforeAnswer) {
          this.crash();
          return;
        }
        const late = fate.answerDelayMs ?? 0;
        if (late > 0) scheduler.after(late, () => this.deliver(end));
        else this.deliver(end);
      };
      scheduler.after(arrive, () => {
        if (fate.refuse !== undefined) {
          answer(() => reject(fate.refuse as Error));
          return;
        }
        Promise.resolve()
          .then(operation)
          .then(
            (value) =>
              answer(() => (fate.loseAnswer === undefined ? resolve(value) : reject(fate.loseAnswer as Error))),
            (error: unknown) => answer(() => reject(error as Error)),
          );
      });
    });
  }

  /** The object with each of its named methods behind {@link Process.call}; `reached` is told when the other side has a call. */
  port<T extends object>(
    name: string,
    inner: T,
    methods: readonly (keyof T & string)[],
    reached?: (method: string, args: readonly unknown[]) => void,
  ): T {
    const outer = Object.create(inner) as Record<string, unknown>;
    for (const method of methods) {
      const own = inner[method] as (...args: unknown[]) => unknown;
      outer[method] = (...args: unknown[]) =>
        this.call(
          `${name}.${method}`,
          () => {
            reached?.(method, args);
            return own.apply(inner, args);
          },
          args,
        );
    }
    return outer as T;
  }
}

class ProcessClock extends Clock {
  private readonly process: Process;
  private readonly scheduler: Scheduler;
  private readonly idle: IdleSleep | undefined;

  constructor(process: Process, scheduler: Scheduler, idle: IdleSleep | undefined) {
    super();
    this.process = process;
    this.scheduler = scheduler;
    this.idle = idle;
  }

  now(): number {
    return this.scheduler.now + this.process.clockOffsetMs;
  }

  monotonic(): number {
    return this.scheduler.now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return this.scheduler.mayBegin() ? Promise.resolve() : NEVER;
    const { idle, process, scheduler } = this;
    return new Promise((resolve) => {
      const wake = (): void => {
        forget();
        process.deliver(resolve);
      };
      const wait = Math.max(0, Math.ceil(ms));
      const cancel =
        idle && wait >= (idle.fromMs ?? 100)
          ? idle.bell.wait(Math.max(wait, idle.minMs ?? 0), idle.maxMs(), wake)
          : scheduler.after(wait, wake);
      // The process itself ends the wait, so it is not a step of the world.
      const aborted = (): void => {
        forget();
        cancel();
        resolve();
      };
      signal?.addEventListener('abort', aborted);
      const stop = (): void => signal?.removeEventListener('abort', aborted);
      const takeBack = scheduler.listens(stop);
      const forget = (): void => {
        stop();
        takeBack();
      };
    });
  }
}
