import { isTrouble, type JsonObject, type TimerQueue } from '#libs/event-store';
import { AsideItems, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { SupervisedLoop } from '../supervised-loop.ts';

/** What happens when a timer is due. It may come twice, and late: whoever decides on it decides to nothing then. */
export type TimerHandler = (streamId: string, data: JsonObject) => Promise<void>;

interface TimerLoopParts {
  readonly timers: TimerQueue;
  /** By name of the timer. */
  readonly handlers: Readonly<Record<string, TimerHandler>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const LIMIT = 100;
/** A timer whose handler died falls due again after this. */
const LEASE_MS = 30_000;
const POLL_MS = 1_000;

/** Wakes streams at the times they asked for. A timer that nobody handles is put away and said. */
export class TimerLoop {
  private readonly parts: TimerLoopParts;
  private readonly loop: SupervisedLoop;
  private readonly aside: AsideItems;

  constructor(parts: TimerLoopParts) {
    this.parts = parts;
    this.aside = new AsideItems({ ...parts, loop: 'timers' });
    this.loop = new SupervisedLoop({ ...parts, name: 'timers', idleMs: POLL_MS, step: () => this.step() });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  trouble(): string | undefined {
    return this.loop.trouble();
  }

  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  private async step(): Promise<LoopStep> {
    const { timers, handlers, logger } = this.parts;
    const due = await timers.claimDue(LIMIT, LEASE_MS);
    await Promise.all(
      due.map(async ({ streamId, name, dueAt, data }) => {
        const item = `${streamId} ${name}`;
        const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
        try {
          if (handler) await handler(streamId, data);
          else logger.warn('no handler for a timer', { streamId, timer: name });
          // A timer that its handler has put again stays.
          await timers.remove(streamId, name, dueAt);
          this.aside.done(item);
        } catch (error) {
          // Its lease ends, and it is due again, on whichever replica.
          if (isTrouble(error))
            logger.error('could not handle a timer; trying again', { streamId, timer: name, error });
          else this.aside.put(item, error, LEASE_MS);
        }
      }),
    );
    return due.length === LIMIT ? 'busy' : 'idle';
  }
}
