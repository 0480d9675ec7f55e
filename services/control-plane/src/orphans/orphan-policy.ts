import { orphanStreamId, type OrphanId } from '#libs/domain';
import type { AsideItem, Logger, Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { SetAside } from '../streams/set-aside.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import type { OrphanStreams } from './orphan-streams.ts';
import type { OrphanCases } from './ports.ts';
import type { OrphanPolicy } from './variables.ts';

const LOOK_EVERY_MS = 15_000;
const AT_ONCE = 100;

/** Asks for the removal of orphans that nobody decided about in time, where the fleet is set so. With policy `quarantine` it does nothing. */
export class OrphanPolicyLoop {
  private readonly loop: SupervisedLoop;
  private readonly aside: SetAside<OrphanId>;

  constructor(parts: {
    readonly policy: OrphanPolicy;
    readonly cases: OrphanCases;
    readonly orphanStreams: OrphanStreams;
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    const { policy, cases, orphanStreams, logger } = parts;
    const name = 'orphan-policy';
    const aside = new SetAside<OrphanId>({ ...parts, loop: name });
    this.aside = aside;
    const step = async (): Promise<LoopStep> => {
      if (policy.kind === 'quarantine') return LOOK_EVERY_MS;
      const overdue = await cases.overdue(policy.afterMs, AT_ONCE + aside.size);
      const reason = `policy: ${Math.round(policy.afterMs / 1000)} s in quarantine`;
      let removals = 0;
      await aside.each(overdue, orphanStreamId, async (id) => {
        const result = await orphanStreams.execute(
          orphanStreamId(id),
          { type: 'RequestRemoval', by: 'policy', reason },
          { actor: 'control-plane:orphan-policy' },
        );
        if (result.kind !== 'done' || result.events.length === 0) return;
        removals += 1;
        logger.warn('the policy has an orphan removed', { ...id, reason });
      });
      return removals >= AT_ONCE ? 'busy' : Math.min(aside.dueInMs() ?? LOOK_EVERY_MS, LOOK_EVERY_MS);
    };
    this.loop = new SupervisedLoop({ ...parts, name, idleMs: LOOK_EVERY_MS, step });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  trouble(): string | undefined {
    return this.loop.trouble();
  }
}
