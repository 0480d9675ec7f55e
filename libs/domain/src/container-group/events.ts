/**
 * Everything that can be said about one container group. A stream holds the events of one pod (`container_group:<clusterId>:<podUid>`), from
 * its first intent to the last trace of its groups. Events are facts: never edited, only added; new fields are optional.
 */
import type { Gate } from '../placement/gates.ts';
import type { RefusalClass } from '../placement/history.ts';
import type { ChargeType, PlacementNeed, RankedVSwitch } from '../placement/need.ts';
import type { UnknownEvent } from '../unknown-event.ts';

/** Status of a container group as ECI names it; anything newer is carried as `Unknown`. */
export type GroupStatus =
  | 'Scheduling'
  | 'ScheduleFailed'
  | 'Pending'
  | 'Running'
  | 'Restarting'
  | 'Updating'
  | 'Terminating'
  | 'Succeeded'
  | 'Failed'
  | 'Expired'
  | 'Unknown';

export type ContainerState =
  | { readonly state: 'waiting'; readonly reason: string; readonly message?: string }
  | { readonly state: 'running'; readonly startedAt?: string }
  | {
      readonly state: 'terminated';
      readonly exitCode: number;
      readonly signal?: number;
      readonly reason: string;
      readonly message?: string;
      readonly startedAt?: string;
      readonly finishedAt?: string;
      readonly containerId?: string;
    };

export interface ContainerStatus {
  readonly name: string;
  readonly image: string;
  readonly imageId?: string;
  readonly ready: boolean;
  readonly started?: boolean;
  /** Never falls. */
  readonly restartCount: number;
  /** How many of them the cloud has forgotten: it counts from the beginning after a restart of the host. */
  readonly restartsBefore?: number;
  readonly state: ContainerState;
  readonly lastState?: ContainerState;
}

export interface PodCondition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** One event that ECI reported for the group; counted, not repeated. */
export interface CloudEvent {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
}

/** JSON as it travels: the clear part of a pod is carried as it came, for people and for re-running policies. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** Something of the pod that ECI is not asked for. `warning`: it may be missed, and this is a kubelet's word for it. */
export interface IgnoredField {
  readonly field: string;
  readonly reason: string;
  readonly warning?: string;
}

export interface PodFacts {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly resourceVersion: string;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly containers: readonly { readonly name: string; readonly image: string }[];
  readonly initContainers: readonly { readonly name: string; readonly image: string }[];
  /** ISO time, from metadata.creationTimestamp. */
  readonly createdAt?: string;
  readonly activeDeadlineSeconds?: number;
}

/** Life of one projected token of the pod, as the token itself says. ISO times. */
export interface TokenLife {
  readonly path: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
}

export interface EventData {
  PodIntentAccepted: {
    readonly clusterId: string;
    readonly pod: PodFacts;
    /** The pod without secret values. */
    readonly clearPod: JsonObject;
    readonly need: PlacementNeed;
    readonly agentEpoch: number;
    readonly sequence: number;
    readonly profileRevision: string;
    /** SHA-256 of what a pod may never change: images and resources, by field path. */
    readonly spec: Readonly<Record<string, string>>;
    /** HMAC-SHA-256 of sealed values under the stream's data key, by name. */
    readonly digests: Readonly<Record<string, string>>;
    readonly tokens: readonly TokenLife[];
    /** The pod already ran when its intent came: look for its group before creating one. */
    readonly lookUpFirst: boolean;
    /** What the pod says and ECI is not asked for, on purpose. */
    readonly ignored?: readonly IgnoredField[];
  };
  PodIntentRefreshed: {
    readonly agentEpoch: number;
    readonly sequence: number;
    readonly profileRevision: string;
    readonly digests: Readonly<Record<string, string>>;
    readonly tokens: readonly TokenLife[];
    readonly need: PlacementNeed;
  };
  PodChangeRefused: { readonly fields: readonly string[] };
  PodRejected: { readonly field: string; readonly reason: string; readonly code?: string };
  PlacementChosen: {
    readonly attempt: number;
    readonly clientToken: string;
    readonly accountId: string;
    readonly region: string;
    /** In the order of belief; all are sent in one request. */
    readonly candidates: readonly RankedVSwitch[];
    readonly specs: readonly string[];
    readonly chargeType: ChargeType;
    readonly policyVersion: string;
    readonly why: readonly string[];
    readonly seed: number;
    /** SHA-256 of the frozen request. */
    readonly requestDigest: string;
  };
  ContainerGroupCreated: { readonly attempt: number; readonly containerGroupId: string; readonly requestId: string };
  CreateRefused: {
    readonly attempt: number;
    readonly code: string;
    readonly class: RefusalClass;
    readonly message: string;
    readonly requestId?: string;
  };
  /** Said once for an attempt, at its first call whose outcome is not known. */
  CreateOutcomeUnknown: { readonly attempt: number; readonly reason: string };
  Adopted: { readonly attempt: number; readonly containerGroupId: string };
  ContainerGroupLanded: {
    readonly containerGroupId: string;
    readonly zone: string;
    readonly vSwitchId: string;
    readonly spec: string;
    readonly cpu?: number;
    readonly memoryGiB?: number;
  };
  SchedulingFailed: {
    readonly attempt: number;
    readonly containerGroupId: string;
    readonly reason: string;
    readonly message: string;
  };
  Parked: { readonly gate: Gate; readonly reason: string; readonly message: string };
  Unparked: { readonly by: string };
  /** Complete picture of the group; said only when something differs from the last one. */
  ContainersChanged: {
    readonly containerGroupId: string;
    readonly status: GroupStatus;
    readonly containers: readonly ContainerStatus[];
    readonly initContainers: readonly ContainerStatus[];
    readonly conditions: readonly PodCondition[];
    readonly cloudEvents: readonly CloudEvent[];
    readonly podIp?: string;
    readonly startedAt?: string;
    /** When this was asked for, by the clock of whoever asked. Earlier versions recorded it; nothing is concluded from it. */
    readonly askedAt?: number;
  };
  ContainerGroupSucceeded: { readonly containerGroupId: string; readonly finishedAt?: string };
  ContainerGroupFailed: {
    readonly containerGroupId?: string;
    /** ECI's reason, or `OutcomeUnknown` when the group vanished before its end was seen. */
    readonly reason: string;
    readonly message: string;
    /** The system ended the group: what its containers say of their end is not the reason. Absent: false. */
    readonly bySystem?: boolean;
    readonly finishedAt?: string;
    readonly lastSeen?: GroupStatus;
  };
  SpotReleaseAnnounced: { readonly containerGroupId: string; readonly message: string };
  ContainerGroupExpired: {
    readonly containerGroupId: string;
    /** Absent: `BidFailed`. */
    readonly reason?: string;
    readonly message: string;
    readonly finishedAt?: string;
  };
  StopRequested: {
    readonly by: string;
    readonly reason: StopReason;
    readonly graceSeconds?: number;
    readonly deletionTimestamp?: string;
    /** Reason of the pod's condition DisruptionTarget, when it was not its owner or a person who ended it. */
    readonly disruption?: string;
    /** For a stream that knows its pod from nothing else. */
    readonly namespace?: string;
    readonly name?: string;
  };
  /** The mass-delete guard keeps this stop for an operator; nothing is stopped meanwhile. */
  StopHeld: {
    /** The hold that it belongs to, `<clusterId>/<number>`. */
    readonly hold: string;
    readonly by: string;
    readonly reason: StopReason;
    readonly disruption?: string;
    readonly graceSeconds?: number;
    readonly deletionTimestamp?: string;
    readonly namespace: string;
    readonly name: string;
    /** Place of the stop among its agent's messages: only what was said after it can take it back. */
    readonly agentEpoch: number;
    readonly sequence: number;
  };
  /** An operator wants the pod to go on. Its stop stays shown, and can still be released. */
  StopDenied: { readonly by: string; readonly reason?: string };
  /** The hold ends: the stop is carried out (StopRequested follows), or the pod is back and there is nothing to stop. */
  StopReleased: {
    readonly by: string;
    readonly outcome: 'stopped' | 'returned';
    readonly reason?: string;
    /** With `returned`: place of the intent that showed the pod. */
    readonly agentEpoch?: number;
    readonly sequence?: number;
  };
  DeleteAccepted: { readonly containerGroupId: string; readonly requestId?: string };
  /** No group of this attempt exists any more (or ever did, when the id was never known). */
  ContainerGroupGone: {
    readonly attempt?: number;
    readonly containerGroupId?: string;
    readonly evidence: string;
    /** Of a twin that ended by itself, by the cloud's clock; ISO. */
    readonly finishedAt?: string;
  };
  /** A group of this pod that is not its current one: open, or over before anybody knew of it, and then gone with the next event. */
  OrphanFound: {
    readonly containerGroupId: string;
    readonly attempt?: number;
    readonly status: GroupStatus;
    /** By the cloud's clock, when the cloud said it; ISO. */
    readonly createdAt?: string;
    /** Where it was found; absent in old events: where the stream's present attempt is. */
    readonly accountId?: string;
    readonly region?: string;
  };
  PodObjectGone: { readonly reason: string };
}

export type StopReason = 'Deleted' | 'ObjectGone' | 'Absent';

export type EventType = keyof EventData;

/** `at` = when it was decided, ISO 8601 UTC with milliseconds. */
export type ContainerGroupEvent = {
  [T in EventType]: { readonly type: T; readonly at: string; readonly data: EventData[T] };
}[EventType];

/** What a stream may hold. */
export type StoredContainerGroupEvent = ContainerGroupEvent | UnknownEvent;

/** An event before the decider stamps its time. */
export type NewContainerGroupEvent = { [T in EventType]: { readonly type: T; readonly data: EventData[T] } }[EventType];
