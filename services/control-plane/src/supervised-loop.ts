import { errorMessage, type Logger, type Metrics } from '#libs/observability';
import { Loop, type Clock, type LoopStep, type Random } from '#libs/runtime';

/** Rounds that fail in a row before the process calls itself not ready: a blip is no trouble. */
const TROUBLE_AFTER = 3;

/** A subscription whose process was killed is taken over after this, milliseconds: people watch their pods meanwhile. */
export const LEASE_MS = 5_000;

interface SupervisedLoopOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly step: (stopping: AbortSignal) => Promise<LoopStep>;
  /** Milliseconds. */
  readonly idleMs: number;
}

const SAY_EVERY_MS = 60_000;

/** A loop whose failures are logged (at once, then once a minute), counted, and told to whoever asks how the process is. */
export class SupervisedLoop {
  private readonly name: string;
  private readonly loop: Loop;
  /** Of the row of failures that lasts now, epoch milliseconds. */
  private failingSince: number | undefined;
  private saidAt = -Infinity;
  private failing: string | undefined;

  constructor({ name, clock, random, logger, metrics, step, idleMs }: SupervisedLoopOptions) {
    this.name = name;
    const failed = metrics.counter('eci_fleet_loop_failures_total', 'Rounds of loops that failed', ['loop']);
    this.loop = new Loop({
      name,
      clock,
      random,
      idleMs,
      step: async (stopping) => {
        const result = await step(stopping);
        if (this.failingSince !== undefined) {
          const seconds = Math.round((clock.now() - this.failingSince) / 1000);
          if (this.failing !== undefined) logger.info('a loop works again', { loop: name, failedForSeconds: seconds });
        }
        this.failing = this.failingSince = undefined;
        return result;
      },
      onError: (error, failures) => {
        failed.inc({ loop: name });
        const now = clock.now();
        this.failingSince ??= now;
        if (now - this.saidAt >= SAY_EVERY_MS) {
          this.saidAt = now;
          logger.warn('a round of a loop failed', { loop: name, failures, error });
        }
        if (failures >= TROUBLE_AFTER)
          this.failing = `${errorMessage(error)} (since ${new Date(this.failingSince).toISOString()})`;
      },
    });
  }

  start(): void {
    this.loop.start();
  }

  nudge(): void {
    this.loop.nudge();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  trouble(): string | undefined {
    return this.failing === undefined ? undefined : `${this.name}: ${this.failing}`;
  }
}
