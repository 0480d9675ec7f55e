/** The verbs of the store. One adapter speaks PostgreSQL; a simulation may bring another that passes the same contract suite. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export interface EventMetadata {
  /** Who caused it: `agent:<clusterId>`, `control-plane:<role>`, `operator:<name>`. */
  readonly actor: string;
  /** When it was decided, ISO 8601 UTC with milliseconds. */
  readonly decidedAt: string;
  readonly correlationId?: string;
  /** Event, message or call that led to it, for example `kafka:<topic>/<partition>@<offset>`. */
  readonly causationId?: string;
  readonly traceparent?: string;
}

export interface NewEvent {
  readonly eventId: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: JsonObject;
  readonly metadata: EventMetadata;
}

export interface RecordedEvent extends NewEvent {
  readonly streamId: string;
  /** Dense, from 1. */
  readonly version: number;
  readonly cursor: Cursor;
  readonly recordedAt: string;
}

/** Where a reader stands: log generation, transaction id, position. A position alone loses events. Opaque outside: see `encodeCursor`. */
export interface Cursor {
  readonly generation: number;
  readonly transactionId: string;
  readonly position: string;
}

export interface EffectRow {
  readonly streamId: string;
  readonly kind: string;
  readonly key: string;
  /** Shares a quota: `<accountId>/<region>/<action>`, or a lane without tokens. */
  readonly lane: string;
  readonly tenant: string;
  readonly priority: number;
  readonly data: JsonObject;
  /** Ciphertext of what must not lie in clear (a frozen request). */
  readonly sealed?: Uint8Array;
  /** How often it was claimed. */
  readonly attempts: number;
  /** A call for it may have gone out whose outcome nobody recorded. */
  readonly mayHaveBeenSent: boolean;
  /** When it was first put; ISO. */
  readonly putAt: string;
  readonly claimId: string;
  readonly claimedUntil: string;
}

export type EffectChange =
  | {
      readonly op: 'put';
      readonly kind: string;
      readonly key: string;
      readonly lane: string;
      readonly tenant: string;
      readonly priority: number;
      readonly afterMs: number;
      readonly data: JsonObject;
      readonly sealed?: Uint8Array;
      /** Put it claimed already: the worker goes on with it at once. */
      readonly claim?: { readonly claimId: string; readonly leaseMs: number };
    }
  | { readonly op: 'remove'; readonly kind: string; readonly key: string; readonly unlessClaimed: boolean };

/** A key that another key, which the store never sees, has wrapped. */
export interface WrappedEventKey {
  readonly wrappedKey: Uint8Array;
  /** Names the key that wrapped it. */
  readonly keyId: string;
}

/** The key of a stream's events, as far as it is known. */
export interface KeptEventKey {
  /** Absent: it was forgotten. */
  readonly key?: WrappedEventKey;
  /** When the stream was closed; ISO. Absent: it takes new work. */
  readonly closedAt?: string;
  /** ISO. */
  readonly forgottenAt?: string;
}

export interface StreamAppend {
  readonly streamId: string;
  /** 0: the stream must be new; n: its version must be n. There is no "any". */
  readonly expected: number;
  /** May be empty when only rows beside the stream change; the version is checked all the same. */
  readonly events: readonly NewEvent[];
  readonly effects?: readonly EffectChange[];
  readonly timers?: readonly (
    | { readonly op: 'put'; readonly name: string; readonly dueAt: string; readonly data: JsonObject }
    | { readonly op: 'remove'; readonly name: string }
  )[];
  /** Behind which gate the stream waits, or `null`: behind none any more. */
  readonly parked?: { readonly gate: string; readonly priority: number; readonly deadline?: string } | null;
  /** Other names by which the stream is found; each belongs to one stream for ever. */
  readonly aliases?: readonly string[];
  /** Ciphertext kept beside the stream and its wrapped data key; `destroy` forgets both, whatever backups of events remain. */
  readonly sealed?:
    | { readonly put: { readonly wrappedKey: Uint8Array; readonly keyId: string; readonly sealed: Uint8Array } }
    | 'destroy';
  /** Key of what the events hold sealed; the stream's first one stays. It outlives `sealed`, and is forgotten some time after `closed`. */
  readonly eventKey?: WrappedEventKey;
  /**
   * The claim under which this was done. If it is no longer held, nothing of this stream is written. The row is removed with the append; a row
   * that lives on is put again in `effects`.
   */
  readonly claim?: { readonly kind: string; readonly key: string; readonly claimId: string };
  /** The stream takes no new work: kept for archiving. */
  readonly closed?: boolean;
}

export interface RemovedEffect {
  readonly kind: string;
  readonly key: string;
}

export type AppendResult =
  | {
      readonly ok: true;
      readonly streamId: string;
      readonly version: number;
      /** Rows that `effects` asked to be removed and that were there. */
      readonly removedEffects: readonly RemovedEffect[];
    }
  | { readonly ok: false; readonly streamId: string; readonly reason: 'conflict' | 'claim-lost' };

/** Position in an incoming log. Moves only from `from` to `to`; otherwise the whole append is undone with {@link InboxMoved}. */
export interface InboxMove {
  readonly group: string;
  readonly topic: string;
  readonly epoch: number;
  readonly partition: number;
  readonly from: string;
  readonly to: string;
}

/** Somebody else moved the inbox offset: the partition is not ours any more. Nothing was written. */
export class InboxMoved extends Error {
  override readonly name = 'InboxMoved';
}

export abstract class EventStore {
  /** Streams in order of version; missing streams are absent. Reads on the primary. */
  abstract loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>>;

  /**
   * One transaction, one round trip. Streams are independent: a conflict concerns that stream only. When `inbox` is given and any stream
   * failed, the caller must decide again; pass the move with the call that appends the rest.
   */
  abstract append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]>;

  /** Events after `after` that every reader may see, in one global order that never shows a stream backwards. */
  abstract readAll(
    after: Cursor,
    limit: number,
  ): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: Cursor }>;

  abstract findByAlias(aliases: readonly string[]): Promise<ReadonlyMap<string, string>>;

  /** The sealed part of streams; absent when it was destroyed. */
  abstract readSealed(
    streamIds: readonly string[],
  ): Promise<
    ReadonlyMap<string, { readonly wrappedKey: Uint8Array; readonly keyId: string; readonly sealed: Uint8Array }>
  >;

  /** Keys of the streams' events; absent for a stream that never had one. */
  abstract readEventKeys(streamIds: readonly string[]): Promise<ReadonlyMap<string, KeptEventKey>>;

  /** Forgets the keys of up to `most` streams that were closed before `closedBefore` (epoch milliseconds), the longest closed first; returns how many. */
  abstract forgetEventKeys(closedBefore: number, most: number): Promise<number>;

  /** Offset to read next, or undefined when the partition was never read in any epoch. */
  abstract inboxOffset(
    group: string,
    topic: string,
    partition: number,
  ): Promise<{ epoch: number; offset: string } | undefined>;
  /** Begins a new log epoch at offset 0 (or `offset`); returns it. */
  abstract beginInboxEpoch(group: string, topic: string, partition: number, offset: string): Promise<number>;
}

/** Rows of work, their quota and their claims. */
export abstract class EffectQueue {
  /**
   * Takes what a second's worth of the lane's tokens allows and claims exactly that many due rows of these kinds, fairly over tenants
   * (larger priority first within one), for `leaseMs`. Lanes without a bucket give up to `max`. Tokens are shared by all replicas.
   */
  abstract claim(request: {
    readonly lane: string;
    readonly kinds: readonly string[];
    readonly max: number;
    readonly claimId: string;
    readonly leaseMs: number;
  }): Promise<readonly EffectRow[]>;

  /** Lanes that have a row due now. */
  abstract dueLanes(): Promise<readonly string[]>;
  /** When the next row of any lane falls due; ISO. */
  abstract nextDueAt(): Promise<string | undefined>;

  /** Checks the claims again just before sending, marks them as perhaps sent, and extends them; returns the keys still held. */
  abstract confirmClaims(
    rows: readonly {
      readonly streamId: string;
      readonly kind: string;
      readonly key: string;
      readonly claimId: string;
    }[],
    leaseMs: number,
  ): Promise<readonly { readonly streamId: string; readonly kind: string; readonly key: string }[]>;

  /** Gives a row back, due after `afterMs`. `notSent` = we know that no call of this claim took effect. False when the claim was lost. */
  abstract release(row: {
    readonly streamId: string;
    readonly kind: string;
    readonly key: string;
    readonly claimId: string;
    readonly afterMs: number;
    readonly notSent: boolean;
    readonly data?: JsonObject;
    /** Give the lane its token back: nothing was called. */
    readonly refundToken?: boolean;
  }): Promise<boolean>;

  abstract configureLane(lane: string, bucket: { readonly rate: number; readonly burst: number }): Promise<void>;
  /** The cloud throttled us: × 0.85, at most once a second for all replicas. */
  abstract laneThrottled(lane: string): Promise<void>;
  /** A second of accepted calls: + 0.03 of the configured rate, never above it. */
  abstract laneAccepted(lane: string): Promise<void>;
}

/** Streams that wait behind a gate, and when the gate is tried next. Rows, so that every replica sees the same queue. */
export abstract class GateQueue {
  /** Gates whose probe is due, each locked for `leaseMs` by this caller. */
  abstract dueGates(
    limit: number,
    leaseMs: number,
  ): Promise<readonly { readonly gate: string; readonly budget: number; readonly parked: number }[]>;
  /** First `count` streams of the gate: larger priority, earlier deadline, earlier arrival first. */
  abstract peek(gate: string, count: number): Promise<readonly string[]>;
  /** Those of the gates that exist; one that does not is open. */
  abstract look(
    gates: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly state: 'open' | 'slow' | 'shut'; readonly parked: number }>>;
  /** Outcome of a probe or of ordinary traffic: opens (budget grows) or shuts (next probe later) the gate. */
  abstract report(gate: string, outcome: 'accepted' | 'refused'): Promise<void>;
}

export abstract class TimerQueue {
  abstract claimDue(
    limit: number,
    leaseMs: number,
  ): Promise<
    readonly { readonly streamId: string; readonly name: string; readonly dueAt: string; readonly data: JsonObject }[]
  >;
  /** With `dueAt`: only the timer that was seen, not one that was put again meanwhile. */
  abstract remove(streamId: string, name: string, dueAt?: string): Promise<void>;
}
