import type { ContainerGroupState, GroupStatus } from '#libs/domain';
import type { GroupIdentity } from '#libs/eci';
import type { RecordedEvent } from '#libs/event-store';
import type { AccountFault } from '../accounts/account-row.ts';
import type { OldReference } from '../accounts/credential-sources.ts';
import type { ContainerGroupRecord } from '../container-groups/container-group.entity.ts';

export interface StoredEvent extends RecordedEvent {
  readonly digest: Uint8Array;
}

/** All that PostgreSQL holds of one stream, read in one snapshot. */
export interface StreamFacts {
  readonly streamId: string;
  readonly clusterId: string;
  readonly podUid: string;
  readonly head: { readonly version: number; readonly closedAt?: string };
  /** In order of version. */
  readonly events: readonly StoredEvent[];
  readonly state: ContainerGroupState;
  readonly effects: readonly { readonly kind: string; readonly key: string }[];
  /** Gate behind which it has a row. */
  readonly parkedAt?: string;
  readonly hasSealed: boolean;
  /** Its row in the read model. */
  readonly row?: ContainerGroupRecord;
  /** How many of its events the reader of the read model has dealt with. */
  readonly projected: number;
  /** Why the reader of the read model parked it. */
  readonly projectionError?: string;
}

/** Work whose time has come and which nobody took. */
export interface OverdueWork {
  readonly table: 'effect' | 'timer';
  readonly streamId: string;
  readonly kind: string;
  readonly key: string;
  readonly lane?: string;
  /** ISO. */
  readonly dueAt: string;
  readonly attempts: number;
}

export interface CloudGroup {
  readonly containerGroupId: string;
  readonly status: GroupStatus;
  readonly createdAt?: string;
  readonly finishedAt?: string;
  /** From its tags; only read of groups that we do not know by their id. */
  readonly identity?: Partial<GroupIdentity>;
}

/** A list of one account in one region by the fleet's tag. */
export interface CloudList {
  readonly accountId: string;
  readonly region: string;
  /** Epoch ms. */
  readonly beganAt: number;
  /** What kept it from being complete: then it proves nothing. */
  readonly incomplete?: string;
  readonly groups: readonly CloudGroup[];
}

/** A group that its stream takes for open. */
export interface OurGroup {
  readonly containerGroupId: string;
  readonly streamId: string;
  readonly accountId: string;
  readonly region: string;
  /** ISO. */
  readonly since: string;
  readonly deleteAcceptedAt?: string;
  readonly twin: boolean;
}

/** What a stream with something open, in doubt or awaited says, kept small: there may be many. */
export interface OpenStream {
  readonly streamId: string;
  /** Its attempt whose outcome is not known. */
  readonly inDoubt?: number;
  readonly stopped: boolean;
}

export interface ClusterFacts {
  readonly clusterId: string;
  /** Of the agent's key: it is part of its name at Kafka. */
  readonly keyGeneration: number;
  /** ISO; the agent's session. */
  readonly renewedAt?: string;
  readonly inventory?: {
    readonly completedAt: string;
    /** Pods that had no stream then, and have none now. */
    readonly unknownPods: readonly string[];
    /** Pods of streams that were open then without a pod. */
    readonly missingPods: readonly string[];
  };
}

export interface ReaderFacts {
  readonly name: string;
  readonly events: number;
  readonly seconds: number;
  readonly parkedStreams: number;
}

export interface LaneFacts {
  readonly lane: string;
  readonly rate: number | null;
  readonly burst: number | null;
  readonly tokens: number;
  readonly factor: number;
  /** ISO; when `factor` moved last. */
  readonly factorMovedAt: string;
}

/** Outcomes recorded in one lane in one minute. */
export interface MinuteOfCalls {
  readonly lane: string;
  /** Start of the minute, epoch ms. */
  readonly minute: number;
  readonly calls: number;
}

/** A cluster that sent more than it may. */
export interface OverBudget {
  readonly clusterId: string;
  /** Pods, and an inventory, that it is yet to be asked for. */
  readonly waiting: number;
  /** ISO; of the oldest. */
  readonly since: string;
}

/** How a cloud account is set up. */
export interface AccountFacts {
  readonly accountId: string;
  readonly faults: readonly AccountFault[];
  readonly oldReference?: OldReference;
  readonly endpoint?: string;
  /** Why its key cannot be read in this process, for operators. */
  readonly keyTrouble?: string;
}
