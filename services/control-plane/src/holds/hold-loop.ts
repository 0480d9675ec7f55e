import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { SetAside } from '../streams/set-aside.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import type { DueDecision, HeldStops } from './ports.ts';

/** Streams of one round; a release of thousands goes out in such portions, and the deletes then follow their lane's quota. */
const AT_ONCE = 200;
const POLL_MS = 1_000;
const COUNT_EVERY_MS = 10_000;

/**
 * Carries out what operators decided of held stops. The decision lies in rows until its event is in the stream, so that none is forgotten; the
 * stream's version lets each happen once, on however many replicas this runs.
 */
export class HoldLoop {
  private readonly held: HeldStops;
  private readonly streams: StreamCommands;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly loop: SupervisedLoop;
  private readonly aside: SetAside<DueDecision>;
  private readonly gauge;
  private countAt = 0;

  constructor(parts: {
    readonly held: HeldStops;
    readonly streams: StreamCommands;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.held = parts.held;
    this.streams = parts.streams;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.gauge = parts.metrics.gauge('eci_fleet_held_stops', 'Stops that wait for an operator', ['cluster']);
    this.aside = new SetAside({ ...parts, loop: 'holds' });
    this.loop = new SupervisedLoop({ ...parts, name: 'holds', idleMs: POLL_MS, step: () => this.step() });
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
    if (this.clock.now() >= this.countAt) {
      this.countAt = this.clock.now() + COUNT_EVERY_MS;
      for (const hold of await this.held.endIdle())
        this.logger.info('a hold of the mass-delete guard lapsed: nothing is held in it any more', { hold });
      this.gauge.reset();
      for (const [cluster, held] of await this.held.counts()) this.gauge.set({ cluster }, held);
    }
    const due = await this.held.due(AT_ONCE + this.aside.size);
    let carriedOut = 0;
    await this.aside.each(
      due,
      ({ streamId }) => streamId,
      async (decision) => {
        if (await this.carryOut(decision)) carriedOut += 1;
      },
    );
    return carriedOut > 0 ? 0 : 'idle';
  }

  /** Whether it changed the stream. */
  private async carryOut({ streamId, verdict, by, actor, reason }: DueDecision): Promise<boolean> {
    const why = reason === undefined ? {} : { reason };
    const result = await this.streams.execute(
      streamId,
      verdict === 'release' ? { type: 'ReleaseStop', by, ...why } : { type: 'DenyStop', by, ...why },
      { actor, causationId: `hold:${verdict}` },
    );
    return result.kind === 'done' && result.events.length > 0;
  }
}
