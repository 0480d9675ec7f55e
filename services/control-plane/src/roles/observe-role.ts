import type { OrphanPolicy } from '../orphans/variables.ts';
import { OrphanPolicyLoop } from '../orphans/orphan-policy.ts';
import { startTogether, type RunningRole } from '../running-role.ts';
import { Observer, type ObserverParts } from '../observe/observer.ts';

export interface ObservePorts extends ObserverParts {
  /** What becomes of orphans that nobody decides about. */
  readonly policy: OrphanPolicy;
}

export type ObserveLoop = 'observe' | 'orphan-policy';

/** Role `observe`: from what the cloud shows to events. `portsOf` gives each loop its ports, which may be the same for both. */
export function observeRole(portsOf: (loop: ObserveLoop) => ObservePorts): RunningRole {
  return startTogether([new Observer(portsOf('observe')), new OrphanPolicyLoop(portsOf('orphan-policy'))]);
}
