import {
  containerGroupDecider,
  parseStreamId,
  type ContainerGroupCommand,
  type ContainerGroupEvent,
  type ContainerGroupState,
  type EffectKind,
} from '#libs/domain';
import { DeciderRunner, type RunnerParts, type RunOptions } from './decider-runner.ts';
import { laneOfEffect } from './lanes.ts';
import { domainEvent } from './stored-events.ts';
import type { StreamKind } from './stream-kind.ts';

export const containerGroups: StreamKind<ContainerGroupState, ContainerGroupCommand, ContainerGroupEvent, EffectKind> =
  {
    decider: containerGroupDecider,
    read: domainEvent,
    laneOf: laneOfEffect,
    tenantOf: (streamId) => parseStreamId(streamId)?.clusterId ?? '',
  };

export type ExecuteOptions = RunOptions<ContainerGroupState, ContainerGroupEvent>;

/** Decisions on streams of container groups. */
export class StreamCommands extends DeciderRunner<
  ContainerGroupState,
  ContainerGroupCommand,
  ContainerGroupEvent,
  EffectKind
> {
  constructor(parts: RunnerParts) {
    super(containerGroups, parts);
  }
}
