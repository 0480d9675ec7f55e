/**
 * What operators and agents did to one cluster. A stream holds the events of one (`cluster:<id>`). Its row in the database is what everybody goes by;
 * the stream tells who changed it and why. There is no secret in it: of keys the thumbprint of the public half, of tokens when they end.
 */
import type { UnknownEvent } from '../unknown-event.ts';

/** A cluster as its row has it. Times are ISO 8601 UTC. */
export interface ClusterFacts {
  readonly name: string;
  readonly accountId: string;
  readonly registeredAt: string;
  readonly joinedAt?: string;
  readonly unregisteredAt?: string;
  /** UID of its namespace kube-system. */
  readonly fingerprint?: string;
  /** Of the key that its agent speaks with. */
  readonly keyThumbprint?: string;
  /** How many keys of its agents have ended. */
  readonly keyGeneration: number;
}

/** What an operator says beside a decision. */
export interface Because {
  readonly reason?: string;
}

export interface ClusterEventData {
  ClusterRegistered: Because & { readonly name: string; readonly accountId: string };
  /** It was there before there were streams of clusters. */
  ClusterImported: ClusterFacts;
  /** It was found otherwise than its stream tells: a release without such streams changed it. */
  ClusterChangedElsewhere: ClusterFacts;
  /** Tokens that nobody had used ended. */
  JoinTokenIssued: Because & { readonly expiresAt: string };
  ClusterJoined: { readonly fingerprint: string; readonly keyThumbprint: string; readonly keyGeneration: number };
  /** `keyGeneration`: of the key that ended. */
  AgentKeyTaken: Because & { readonly keyGeneration: number };
  /** Another agent took over a session that was alive. `epoch`: of the session that began. */
  SessionSuperseded: { readonly epoch: number; readonly agentId: string; readonly superseded: string };
  ClusterUnregistered: Because;
}

export type ClusterEventType = keyof ClusterEventData;

/** `at` = when it was decided, ISO 8601 UTC with milliseconds. */
export type ClusterEvent = {
  [T in ClusterEventType]: { readonly type: T; readonly at: string; readonly data: ClusterEventData[T] };
}[ClusterEventType];

/** What a stream may hold. */
export type StoredClusterEvent = ClusterEvent | UnknownEvent;

export type NewClusterEvent = {
  [T in ClusterEventType]: { readonly type: T; readonly data: ClusterEventData[T] };
}[ClusterEventType];
