import type { GateQueue, TimerQueue } from '#libs/event-store';
import { ConfirmEffects } from '../effects/confirm-effects.ts';
import { CreateEffects } from '../effects/create-effects.ts';
import { DeleteEffects } from '../effects/delete-effects.ts';
import { EffectWorker, type EffectWorkerParts } from '../effects/effect-worker.ts';
import type { EffectHandler } from '../effects/held-effect.ts';
import { LookUpEffects } from '../effects/look-up-effects.ts';
import { PlaceEffects } from '../effects/place-effects.ts';
import type { EffectParts } from '../effects/ports.ts';
import { RefreshEffects } from '../effects/refresh-effects.ts';
import { CreateSender } from '../effects/send-create.ts';
import { effectTools, type EffectTools } from '../effects/tools.ts';
import { GateLoop } from '../gates/gate-loop.ts';
import { HoldLoop } from '../holds/hold-loop.ts';
import type { HeldStops } from '../holds/ports.ts';
import type { OrphanStreams } from '../orphans/orphan-streams.ts';
import { RemoveOrphan } from '../orphans/remove-orphan.ts';
import { startTogether, type RunningRole } from '../running-role.ts';
import { TimerLoop, type TimerHandler } from '../timers/timer-loop.ts';

export interface EffectsPorts extends EffectParts, EffectWorkerParts {
  readonly gates: GateQueue;
  readonly timers: TimerQueue;
  /** By name of the timer; one without a handler is said, not lost in silence. */
  readonly timerHandlers: Readonly<Record<string, TimerHandler>>;
  readonly orphanStreams: OrphanStreams;
  readonly held: HeldStops;
}

export type EffectsLoop = 'effects' | 'gates' | 'holds' | 'timers';

/** Who works on which rows. A handler brings all that the worker must know of it: adding one is one line here. */
function effectHandlers(ports: EffectsPorts, tools: EffectTools): readonly EffectHandler[] {
  const sender = new CreateSender(ports, tools);
  return [
    new PlaceEffects(ports, { ...tools, sender }),
    new CreateEffects(ports, { ...tools, sender }),
    new LookUpEffects(ports, tools),
    new DeleteEffects(ports, tools),
    new ConfirmEffects(ports, tools),
    new RefreshEffects(ports, tools),
    new RemoveOrphan(ports, tools),
  ];
}

function effectWorker(ports: EffectsPorts): EffectWorker {
  const tools = effectTools(ports);
  return new EffectWorker(ports, tools, effectHandlers(ports, tools));
}

/**
 * Role `effects`: from rows of work to calls of the cloud; gates, holds and timers, which make such rows, go with it. `portsOf` gives each loop its
 * ports, which may be the same for all.
 */
export function effectsRole(portsOf: (loop: EffectsLoop) => EffectsPorts): RunningRole {
  const timers = portsOf('timers');
  return startTogether([
    effectWorker(portsOf('effects')),
    new GateLoop(portsOf('gates')),
    new HoldLoop(portsOf('holds')),
    new TimerLoop({ ...timers, handlers: timers.timerHandlers }),
  ]);
}
