import type {
  CloudEvent,
  ContainerStatus,
  EventData,
  GroupStatus,
  IgnoredField,
  JsonObject,
  PodCondition,
  PodFacts,
  StopReason,
  TokenLife,
} from './events.ts';
import type { Gate } from '../placement/gates.ts';
import type { RefusalClass } from '../placement/history.ts';
import type { PlacementNeed } from '../placement/need.ts';

/** What was seen of one group in the cloud. Fields that an answer does not hold are absent, and then prove nothing. */
export interface GroupSnapshot {
  readonly containerGroupId: string;
  readonly status: GroupStatus;
  /** Place of its request among those of the process that sent it; to others it means nothing. */
  readonly asked?: number;
  /** Attempt in its tags, when the answer holds tags. */
  readonly attempt?: number;
  readonly zone?: string;
  readonly vSwitchId?: string;
  readonly spec?: string;
  readonly cpu?: number;
  readonly memoryGiB?: number;
  readonly podIp?: string;
  readonly containers?: readonly ContainerStatus[];
  readonly initContainers?: readonly ContainerStatus[];
  readonly conditions?: readonly PodCondition[];
  readonly cloudEvents?: readonly CloudEvent[];
  readonly createdAt?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

/** What a create call came to. `retry` = nothing happened, send the frozen request again later (no event, no attempt used). */
export type CreateOutcome =
  | { readonly kind: 'done'; readonly containerGroupId: string; readonly requestId: string }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly class: RefusalClass;
      readonly message: string;
      readonly requestId?: string;
    }
  | { readonly kind: 'unknown'; readonly reason: string }
  | { readonly kind: 'retry'; readonly reason: string };

/** Two complete look-ups by tag, both begun after the last call of the attempt had ended or its deadline had passed. */
export interface AbsenceEvidence {
  /** When each began, epoch milliseconds, by the clock of whoever looked: for people, and compared with nothing. */
  readonly firstAt: number;
  readonly secondAt: number;
  /** Pauses that were waited out between them. */
  readonly apartMs: number;
  /** How long ago the attempt came into doubt, by the database's clock. */
  readonly ageMs: number;
}

export type ContainerGroupCommand =
  | {
      readonly type: 'RunPod';
      readonly clusterId: string;
      readonly pod: PodFacts;
      readonly podPhase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
      readonly clearPod: JsonObject;
      readonly agentEpoch: number;
      readonly sequence: number;
      readonly profileRevision: string;
      readonly spec: Readonly<Record<string, string>>;
      readonly digests: Readonly<Record<string, string>>;
      readonly tokens: readonly TokenLife[];
      /** The pod as mapped now: what it needs, or why it cannot run. */
      readonly mapped:
        | {
            readonly ok: true;
            readonly need: PlacementNeed;
            readonly ignored?: readonly IgnoredField[];
          }
        | { readonly ok: false; readonly field: string; readonly reason: string };
    }
  | {
      readonly type: 'StopPod';
      readonly clusterId: string;
      readonly podUid: string;
      readonly namespace: string;
      readonly name: string;
      readonly by: string;
      readonly reason: StopReason;
      readonly graceSeconds?: number;
      readonly deletionTimestamp?: string;
      readonly disruption?: string;
      /** Place among its agent's messages. */
      readonly agentEpoch?: number;
      readonly sequence?: number;
      /** The mass-delete guard holds it; without this a stop is carried out. Stops that the guard does not count are never held. */
      readonly hold?: string;
    }
  /** An operator lets a held stop happen. */
  | { readonly type: 'ReleaseStop'; readonly by: string; readonly reason?: string }
  /** An operator refuses a held stop. */
  | { readonly type: 'DenyStop'; readonly by: string; readonly reason?: string }
  | { readonly type: 'ChoosePlacement'; readonly choice: EventData['PlacementChosen'] }
  | { readonly type: 'Park'; readonly gate: Gate; readonly reason: string; readonly message: string }
  | { readonly type: 'Reject'; readonly field: string; readonly reason: string; readonly code?: string }
  | { readonly type: 'RecordCreate'; readonly attempt: number; readonly outcome: CreateOutcome }
  /** The Create row was taken away before any call could have gone out. */
  | { readonly type: 'RecordNeverSent'; readonly attempt: number }
  /** A group with the four tags of this attempt was found. */
  | { readonly type: 'RecordFound'; readonly attempt: number; readonly containerGroupId: string }
  /** No group with the tags of this attempt exists. */
  | { readonly type: 'RecordAbsent'; readonly attempt: number; readonly evidence: AbsenceEvidence }
  /** `knew`: the last sight in the stream ({@link lastSight}) that whoever asked knew of when the request was sent. */
  | { readonly type: 'Observe'; readonly snapshot: GroupSnapshot; readonly knew: number }
  /** Proven gone (see the rules of evidence in `docs/developers/container-group.md`). */
  | { readonly type: 'RecordGone'; readonly containerGroupId: string; readonly evidence: string }
  | { readonly type: 'RecordDelete'; readonly containerGroupId: string; readonly requestId?: string }
  /** A group with our fleet's tags and this pod's uid that its stream does not know. */
  | {
      readonly type: 'RecordTwin';
      readonly containerGroupId: string;
      readonly attempt?: number;
      readonly status: GroupStatus;
      /** When it was made, and ended, as the cloud says. */
      readonly createdAt?: string;
      readonly finishedAt?: string;
      /** Where it was found. */
      readonly accountId?: string;
      readonly region?: string;
    }
  | { readonly type: 'Unpark'; readonly by: string };
