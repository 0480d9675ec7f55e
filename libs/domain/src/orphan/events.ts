/**
 * What can be said about one orphan: an open group with our fleet's tag that belongs to no stream. A stream holds the events of one group
 * (`orphan:<account>/<region>/<containerGroupId>`), so that who kept or removed it is history like everything else.
 */
import type { GroupStatus } from '../container-group/events.ts';
import type { UnknownEvent } from '../unknown-event.ts';

/** A group as it was seen, with the identity that its tags give it. */
export interface OrphanFacts {
  readonly accountId: string;
  readonly region: string;
  readonly containerGroupId: string;
  readonly status: GroupStatus;
  readonly clusterId?: string;
  readonly podUid?: string;
  readonly attempt?: number;
  readonly namespace?: string;
  readonly name?: string;
  /** The cloud's own time, ISO. */
  readonly createdAt?: string;
  readonly spec?: string;
  readonly cpu?: number;
  readonly memoryGiB?: number;
}

export interface OrphanEventData {
  /** It was in a complete list and in a direct read, is older than the grace period, and no stream knows it. */
  OrphanQuarantined: OrphanFacts & { readonly why: string };
  /** It may live, and nobody is asked again. */
  OrphanKept: { readonly by: string; readonly reason: string };
  OrphanRemovalRequested: { readonly by: string; readonly reason?: string };
  OrphanDeleteAccepted: { readonly requestId: string };
  OrphanRemoved: { readonly evidence: string };
  /** It is no orphan any more, without our doing. `claimed`: a stream knows it; `ended`, `vanished`: it is not open; `not-ours`: without our tag. */
  OrphanClosed: {
    readonly reason: 'claimed' | 'ended' | 'vanished' | 'not-ours';
    readonly evidence: string;
    readonly streamId?: string;
  };
}

export type OrphanEventType = keyof OrphanEventData;

/** `at` = when it was decided, ISO 8601 UTC with milliseconds. */
export type OrphanEvent = {
  [T in OrphanEventType]: { readonly type: T; readonly at: string; readonly data: OrphanEventData[T] };
}[OrphanEventType];

/** What a stream may hold. */
export type StoredOrphanEvent = OrphanEvent | UnknownEvent;

export type NewOrphanEvent = {
  [T in OrphanEventType]: { readonly type: T; readonly data: OrphanEventData[T] };
}[OrphanEventType];
