import type { GateQueue, TimerQueue } from '#libs/event-store';
import { GateLoop } from '../gates/gate-loop.ts';
import { HoldLoop } from '../holds/hold-loop.ts';
import type { HeldStops } from '../holds/ports.ts';
import type { OrphanStreams } from '../orphans/orphan-streams.ts';
import { OrphanWorker } from '../orphans/orphan-worker.ts';
import type { OrphanCases } from '../orphans/ports.ts';
import { startTogether, type RunningRole } from '../running-role.ts';
import { TimerLoop, type TimerHandler } from '../timers/timer-loop.ts';
import { EffectWorker, type EffectWorkerParts } from '../effects/effect-worker.ts';

export interface EffectsPorts extends EffectWorkerParts {
  readonly gates: GateQueue;
  readonly timers: TimerQueue;
  /** By name of the timer; one without a handler is said, not lost in silence. */
  readonly timerHandlers: Readonly<Record<string, TimerHandler>>;
  readonly cases: OrphanCases;
  readonly orphanStreams: OrphanStreams;
  readonly held: HeldStops;
}

export type EffectsLoop = 'effects' | 'gates' | 'orphans' | 'holds' | 'timers';

/**
 * Role `effects`: from rows of work to calls of the cloud; gates, holds and timers, which make such rows, go with it. `portsOf` gives each loop its
 * ports, which may be the same for all.
 */
export function effectsRole(portsOf: (loop: EffectsLoop) => EffectsPorts): RunningRole {
  const timers = portsOf('timers');
  return startTogether([
    new EffectWorker(portsOf('effects')),
    new GateLoop(portsOf('gates')),
    new OrphanWorker(portsOf('orphans')),
    new HoldLoop(portsOf('holds')),
    new TimerLoop({ ...timers, handlers: timers.timerHandlers }),
  ]);
}
