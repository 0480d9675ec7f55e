import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** What one round did: `busy` = look again at once, `idle` = nothing was due, or the milliseconds until the next round. */
export type LoopStep = 'busy' | 'idle' | number;

interface LoopOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  /** One round. `stopping` is aborted when the loop is asked to stop: finish what is begun, begin nothing new. */
  readonly step: (stopping: AbortSignal) => Promise<LoopStep>;
  /** Wait after an idle round, milliseconds. A nudge ends it early. */
  readonly idleMs: number;
  /** Called for each failed round; the loop goes on after a back-off of 0.2 s to 10 s. `failures` counts rounds failed in a row. */
  readonly onError: (error: unknown, failures: number) => void;
}

/** A reason that exists already: without one, every nudge makes an exception with a stack, which shows in profiles of busy services. */
const NUDGED = new Error('the loop was nudged');

/**
 * A round that repeats until stopped. A failure never ends it; a nudge makes an idle loop look at once, and a nudge that arrives during a
 * round is not lost. `stop` resolves when the round in progress has ended.
 */
export class Loop {
  private readonly options: LoopOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private waiting = new AbortController();
  private nudged = false;

  constructor(options: LoopOptions) {
    this.options = options;
  }

  start(): void {
    this.running ??= this.run();
  }

  nudge(): void {
    this.nudged = true;
    this.waiting.abort(NUDGED);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.waiting.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, random, step, idleMs, onError } = this.options;
    let failures = 0;
    while (!this.stopping.signal.aborted) {
      this.nudged = false;
      let pause: number;
      try {
        const result = await step(this.stopping.signal);
        failures = 0;
        pause = result === 'busy' ? 0 : result === 'idle' ? idleMs : result;
      } catch (error) {
        failures += 1;
        onError(error, failures);
        pause = 200 + backoffMs(failures, { baseMs: 200, capMs: 10_000 }, random);
        this.nudged = false;
      }
      if (pause > 0 && !this.nudged && !this.stopping.signal.aborted) {
        this.waiting = new AbortController();
        await clock.sleep(pause, this.waiting.signal);
      }
    }
  }
}
