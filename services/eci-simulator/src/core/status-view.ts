/** Answers of DescribeContainerGroupStatus and DescribeContainerGroupEvents, with the cloud's mixed spellings (`StartedAtstartedAt`, `type`, `uuid`). */
import { createHash } from 'node:crypto';
import { CONDITIONS, conditionsMet, type ConditionType } from './conditions.ts';
import { type ContainerRun, type ContainerState, type Group, type GroupEvent, type Status, wireTime } from './group.ts';

const PHASES: Readonly<Record<Status, string>> = {
  Scheduling: 'Pending',
  ScheduleFailed: 'Failed',
  Pending: 'Pending',
  Running: 'Running',
  Terminating: 'Running',
  Succeeded: 'Succeeded',
  Failed: 'Failed',
};

export function statusView(group: Group): Record<string, unknown> {
  return {
    ...header(group),
    Status: group.status,
    PodStatus: {
      Phase: PHASES[group.status],
      ...(group.landed ? { HostIp: group.ip, PodIp: group.ip, PodIps: [{ Ip: group.ip }] } : {}),
      QosClass: 'Burstable',
      ...(group.pendingAt === undefined ? {} : { StartTime: wireTime(group.pendingAt) }),
      Conditions: conditions(group),
      ContainerStatuses: group.containers.map((run, index) => containerStatus(group, run, index)),
    },
  };
}

export function eventsView(group: Group, wanted: (event: GroupEvent) => boolean): Record<string, unknown> {
  const involvedObject = {
    Kind: 'Pod',
    ApiVersion: 'v1',
    Name: group.definition.name,
    Namespace: 'default',
    Uid: group.uuid,
  };
  return {
    ...header(group),
    Events: group.events.filter(wanted).map((event, index) => ({
      Type: event.type,
      Reason: event.reason,
      Message: event.message,
      Count: event.count,
      FirstTimestamp: wireTime(event.first),
      LastTimestamp: wireTime(event.last),
      ReportingComponent: event.source === 'EciService' ? 'EciService' : 'kubelet',
      ReportingInstance: 'eci',
      Source: { Component: event.source === 'EciService' ? 'EciService' : 'kubelet', Host: 'eci' },
      involvedObject,
      Metadata: { Name: `${group.definition.name}.${event.first.toString(16)}.${index}`, Namespace: 'default' },
    })),
  };
}

function header(group: Group): Record<string, unknown> {
  return {
    ContainerGroupId: group.id,
    Name: group.definition.name,
    Namespace: 'default',
    uuid: group.uuid,
    Annotations: '{}',
  };
}

function conditions(group: Group): Record<string, unknown>[] {
  const met = conditionsMet(group);
  const unmet: Readonly<Partial<Record<ConditionType, { readonly reason: string; readonly message?: string }>>> = {
    ContainerInstanceCreated: group.creation,
    Initialized: { reason: 'ContainersNotInitialized' },
    ContainersReady: { reason: 'ContainersNotReady' },
    Ready: { reason: 'ContainersNotReady' },
  };
  return CONDITIONS.map((type) => {
    const { reason, message } = (met[type] ? undefined : unmet[type]) ?? {};
    return {
      type,
      status: met[type] ? 'True' : 'False',
      lastTransitionTime: wireTime(group.transitions[type]?.at ?? group.createdAt),
      ...(reason ? { Reason: reason } : {}),
      ...(message ? { Message: message } : {}),
    };
  });
}

function containerStatus(group: Group, run: ContainerRun, index: number): Record<string, unknown> {
  const { name, image } = group.definition.containers[index]!;
  const id = (): string => `containerd://${sha256(`${group.id}/${name}/${run.restarts}`)}`;
  return {
    Name: name,
    Image: image,
    ImageID: run.pulled ? `${image.split('@')[0]}@sha256:${digestOf(image)}` : '',
    Ready: run.ready,
    Started: run.current.state === 'Running',
    RestartCount: run.restarts,
    State: state(run.current, id),
    LastState: run.previous ? state(run.previous, id) : {},
  };
}

function state(from: ContainerState, id: () => string): Record<string, unknown> {
  switch (from.state) {
    case 'Waiting':
      return { Waiting: { Reason: from.reason ?? '', Message: from.message ?? '' } };
    case 'Running':
      return { Running: { StartedAtstartedAt: wireTime(from.startedAt ?? 0) } };
    case 'Terminated':
      return {
        Terminated: {
          ContainerID: id(),
          ExitCode: from.exitCode ?? 0,
          Signal: from.signal ?? 0,
          Reason: from.reason ?? '',
          Message: from.message ?? '',
          StartedAt: wireTime(from.startedAt ?? 0),
          FinishedAt: wireTime(from.finishedAt ?? 0),
        },
      };
  }
}

const MANY_IMAGES = 1_000;
const digests = new Map<string, string>();

/** A fleet runs thousands of groups of few images. */
function digestOf(image: string): string {
  let digest = digests.get(image);
  if (digest === undefined) {
    if (digests.size >= MANY_IMAGES) digests.clear();
    digests.set(image, (digest = sha256(image)));
  }
  return digest;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
