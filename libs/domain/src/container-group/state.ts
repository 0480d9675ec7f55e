import type { CloudEvent, ContainerStatus, EventData, GroupStatus, PodCondition, StopReason } from './events.ts';
import type { Gate } from '../placement/gates.ts';
import type { PlacementFailure, RefusalClass } from '../placement/history.ts';
import type { ChargeType } from '../placement/need.ts';
import type { RankedVSwitch } from '../placement/need.ts';

/** One accepted or refused try to run the pod. At most one of them is unsettled at any time. */
export interface Attempt {
  readonly number: number;
  readonly clientToken: string;
  readonly accountId: string;
  readonly region: string;
  readonly candidates: readonly RankedVSwitch[];
  readonly specs: readonly string[];
  readonly chargeType: ChargeType;
  readonly chosenAt: string;
  /**
   * - `pending`: the request is frozen; no outcome yet.
   * - `unknown`: a call may have taken effect; only a 200, a found group or absence settles it.
   * - `open`: a group with a known id exists.
   * - `refused`, `schedule-failed`, `absent`: over, another attempt may follow.
   * - `ended`: the group reached its end or vanished; no attempt follows.
   */
  readonly outcome: 'pending' | 'unknown' | 'open' | 'refused' | 'schedule-failed' | 'absent' | 'ended';
  /** First call with an unknown outcome. */
  readonly unknownSince?: string;
  readonly refusal?: { readonly code: string; readonly class: RefusalClass; readonly message: string };
}

/** The group of the current attempt as it was last seen. */
export interface KnownGroup {
  readonly containerGroupId: string;
  readonly attempt: number;
  readonly since: string;
  /** `null` until the first observation. */
  readonly status: GroupStatus | null;
  /** It was seen in a status that Kubernetes calls Running: its pod's phase is never Pending again. */
  readonly hasRun?: boolean;
  /** Since when the pod's init containers are known to have ended well: said by themselves, or by a container that started after them. */
  readonly initializedSince?: string;
  /** Every container was ready at the last sight, and since when it is so or not so. */
  readonly ready?: boolean;
  readonly readySince?: string;
  /** It was seen in any status after Scheduling: from then on no further attempt follows. */
  readonly beyondScheduling: boolean;
  readonly landed?: {
    readonly zone: string;
    readonly vSwitchId: string;
    readonly spec: string;
    readonly cpu?: number;
    readonly memoryGiB?: number;
  };
  readonly containers: readonly ContainerStatus[];
  readonly initContainers: readonly ContainerStatus[];
  readonly conditions: readonly PodCondition[];
  readonly cloudEvents: readonly CloudEvent[];
  readonly podIp?: string;
  readonly startedAt?: string;
  /** The version of the stream at which its newest sight was recorded. */
  readonly sightVersion?: number;
  readonly spotRelease?: string;
  readonly deleteAcceptedAt?: string;
  /** Still billed or may become so: not final, not proven gone. */
  readonly open: boolean;
  /** Nothing of it is left in the cloud. */
  readonly gone: boolean;
  readonly goneAt?: string;
}

/** How the pod ended. The phase never changes afterwards. */
interface End {
  readonly kind: 'rejected' | 'succeeded' | 'failed' | 'expired';
  readonly reason: string;
  readonly message: string;
  /** Of `failed`: the system ended it, and not its containers. */
  readonly bySystem?: boolean;
  readonly at: string;
}

interface Stop {
  readonly at: string;
  readonly by: string;
  readonly reason: StopReason;
  readonly graceSeconds?: number;
  readonly namespace?: string;
  readonly name?: string;
}

/** A stop that waits for an operator. */
export interface HeldStop {
  readonly hold: string;
  readonly since: string;
  readonly by: string;
  readonly reason: StopReason;
  readonly disruption?: string;
  readonly graceSeconds?: number;
  readonly deletionTimestamp?: string;
  readonly namespace: string;
  readonly name: string;
  readonly agentEpoch: number;
  readonly sequence: number;
  /** An operator refused it; it stays shown until the pod is back, ends by itself, or the stop is released. */
  readonly denied?: { readonly at: string; readonly by: string; readonly reason?: string };
}

/** The intent in force: the first that was accepted, with what was refreshed since. */
type Intent = EventData['PodIntentAccepted'] & { readonly acceptedAt: string };

/** Everything a decision needs to know of one stream; the fold of its events. */
export interface ContainerGroupState {
  /** Number of events folded; equals the stream's version. */
  readonly version: number;
  readonly intent?: Intent;
  /** Absent before the first placement. */
  readonly attempt?: Attempt;
  /** The group of the current attempt, or the last one there was. */
  readonly group?: KnownGroup;
  readonly parked?: { readonly gate: Gate; readonly since: string; readonly reason: string; readonly message: string };
  readonly stop?: Stop;
  /** Never together with `stop` or `end`. */
  readonly held?: HeldStop;
  /** The pod came back after its stop was held: what was said of its absence before this is known to be wrong. */
  readonly returned?: { readonly agentEpoch: number; readonly sequence: number };
  readonly end?: End;
  /** Since when the pod object may go: it was stopped, and nothing of it was open or in doubt. What is found later is a twin, and takes nothing back. */
  readonly finalSince?: string;
  /** Open groups of this pod that are not its current one; each is being deleted. */
  readonly twins: Readonly<
    Record<
      string,
      {
        readonly foundAt: string;
        readonly deleteAcceptedAt?: string;
        readonly place?: { readonly accountId: string; readonly region: string };
      }
    >
  >;
  /** Ids of those that are over, so that each is told once. */
  readonly pastTwins: readonly string[];
  readonly podObjectGone: boolean;
  /** Fields of a later RunPod that were refused, so that it is said once. */
  readonly refusedFields: readonly string[];
  /** Refusals and scheduling failures since the last success or unparking, oldest first: what was tried and why it failed. */
  readonly failures: readonly PlacementFailure[];
  /** Released by its gate: the next placement may pass a gate that is shut, as its probe. */
  readonly mayPassGate: boolean;
  /** Event types that this code does not know; a decider then refuses to decide. */
  readonly unknownEvents: readonly string[];
}

export const initialState: ContainerGroupState = {
  version: 0,
  twins: {},
  pastTwins: [],
  podObjectGone: false,
  refusedFields: [],
  failures: [],
  mayPassGate: false,
  unknownEvents: [],
};

/** What people call the state of the stream. */
export type Life =
  | 'none'
  | 'requested'
  | 'placing'
  | 'creating'
  | 'starting'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'expired'
  | 'parked'
  | 'rejected'
  | 'deleting'
  | 'gone';
