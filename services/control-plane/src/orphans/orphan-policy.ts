import type { Logger, Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import type { OrphanPolicy } from '../fleet-settings.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import type { OrphanStreams } from './orphan-streams.ts';
import type { OrphanCases } from './ports.ts';

const LOOK_EVERY_MS = 15_000;
const AT_ONCE = 100;

/** Asks for the removal of orphans that nobody decided about in time, where the fleet is set so. With policy `quarantine` it does nothing. */
export class OrphanPolicyLoop {
  private readonly loop: SupervisedLoop;

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
    const step = async (): Promise<LoopStep> => {
      if (policy.kind === 'quarantine') return LOOK_EVERY_MS;
      const overdue = await cases.overdue(policy.afterMs, AT_ONCE);
      const reason = `policy: ${Math.round(policy.afterMs / 1000)} s in quarantine`;
      for (const id of overdue) {
        await orphanStreams.execute(
          id,
          { type: 'RequestRemoval', by: 'policy', reason },
          { actor: 'control-plane:orphan-policy' },
        );
        logger.warn('the policy has an orphan removed', { ...id, reason });
      }
      return overdue.length === AT_ONCE ? 'busy' : LOOK_EVERY_MS;
    };
    this.loop = new SupervisedLoop({ ...parts, name: 'orphan-policy', idleMs: LOOK_EVERY_MS, step });
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
}
