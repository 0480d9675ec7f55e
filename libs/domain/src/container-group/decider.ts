import type { Decider } from '../decider.ts';
import type { ContainerGroupCommand } from './commands.ts';
import { consequencesOf } from './consequences.ts';
import { decide } from './decide.ts';
import type { EffectKind } from './effects.ts';
import type { ContainerGroupEvent } from './events.ts';
import { evolve } from './evolve.ts';
import { initialState, type ContainerGroupState } from './state.ts';

export const containerGroupDecider: Decider<
  ContainerGroupState,
  ContainerGroupCommand,
  ContainerGroupEvent,
  EffectKind
> = {
  initial: initialState,
  decide,
  evolve,
  consequencesOf,
  isUndecidable: ({ unknownEvents }) => unknownEvents.length > 0,
};
