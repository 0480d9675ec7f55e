import { AsideItems } from '#libs/observability';
import type { Parts } from '../parts.ts';
import { subscriptionOf } from '../project/read-model-subscription.ts';
import { PROJECTIONS } from '../projections.ts';
import type { RunningRole } from '../running-role.ts';
import { SupervisedLoop } from '../supervised-loop.ts';

/**
 * The read model may lag this far: a round for each append would cost more commits than the appends themselves, and people do not see a tenth
 * of a second.
 */
const LOOK_EVERY_MS = 100;

type ProjectPorts = Pick<Parts, 'pool' | 'dataSource' | 'stored' | 'clock' | 'random' | 'ids' | 'logger' | 'metrics'>;

/** Role `project`: from events, as they are stored, to the rows of every projection. */
export function projectRole(ports: ProjectPorts): RunningRole {
  const name = 'project';
  const aside = new AsideItems({ ...ports, loop: name });
  const subscription = subscriptionOf(PROJECTIONS, { ...ports, store: ports.stored }, aside);
  const loop = new SupervisedLoop({
    ...ports,
    name,
    idleMs: LOOK_EVERY_MS,
    step: (stopping) => subscription.step(stopping),
  });
  loop.start();
  return {
    trouble: () => loop.trouble(),
    setAside: () => aside.list(),
    async stop() {
      await loop.stop();
      await subscription.leave();
    },
  };
}
