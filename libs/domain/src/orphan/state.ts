import type { OrphanFacts, StoredOrphanEvent } from './events.ts';

/** `none`: never quarantined. `kept`: open, and nobody is asked. `removed`, `closed`: history, unless it is seen open again. */
export type OrphanPhase = 'none' | 'quarantined' | 'kept' | 'removing' | 'removed' | 'closed';

/** Everything a decision needs to know of one orphan; the fold of its events. */
export interface OrphanState {
  readonly version: number;
  readonly phase: OrphanPhase;
  readonly facts?: OrphanFacts;
  readonly quarantinedAt?: string;
  readonly kept?: { readonly at: string; readonly by: string; readonly reason: string };
  readonly removal?: {
    readonly at: string;
    readonly by: string;
    readonly reason?: string;
    readonly deleteAcceptedAt?: string;
  };
  /** Event types that this code does not know; a decider then refuses to decide. */
  readonly unknownEvents: readonly string[];
}

export const initialOrphan: OrphanState = { version: 0, phase: 'none', unknownEvents: [] };

/** Total: an unknown event is noted. */
export function evolveOrphan(state: OrphanState, event: StoredOrphanEvent): OrphanState {
  return { ...applied(state, event), version: state.version + 1 };
}

export function foldOrphan(events: readonly StoredOrphanEvent[]): OrphanState {
  return events.reduce(evolveOrphan, initialOrphan);
}

function applied(state: OrphanState, event: StoredOrphanEvent): OrphanState {
  switch (event.type) {
    case 'OrphanQuarantined': {
      const { why: _, ...facts } = event.data;
      const { removal: _removal, ...rest } = state;
      return { ...rest, facts, phase: state.kept ? 'kept' : 'quarantined', quarantinedAt: event.at };
    }
    case 'OrphanKept':
      return { ...state, phase: 'kept', kept: { ...event.data, at: event.at } };
    case 'OrphanRemovalRequested': {
      const { kept: _, ...rest } = state;
      return { ...rest, phase: 'removing', removal: { ...event.data, at: event.at } };
    }
    case 'OrphanDeleteAccepted':
      return state.removal ? { ...state, removal: { ...state.removal, deleteAcceptedAt: event.at } } : state;
    case 'OrphanRemoved':
      return { ...state, phase: 'removed' };
    case 'OrphanClosed':
      return { ...state, phase: 'closed' };
    case 'Unknown':
      return { ...state, unknownEvents: [...state.unknownEvents, event.was] };
  }
}

/** It still costs money, as far as we know. */
export const isOpenOrphan = ({ phase }: OrphanState): boolean =>
  phase === 'quarantined' || phase === 'kept' || phase === 'removing';

const PREFIX = 'orphan:';

export interface OrphanId {
  readonly accountId: string;
  readonly region: string;
  readonly containerGroupId: string;
}

export function orphanStreamId({ accountId, region, containerGroupId }: OrphanId): string {
  return `${PREFIX}${accountId}/${region}/${containerGroupId}`;
}

/** Parts of an orphan's stream id, or undefined for another kind of stream. */
export function parseOrphanStreamId(streamId: string): OrphanId | undefined {
  const match = /^orphan:([^/]+)\/([^/]+)\/([^/]+)$/.exec(streamId);
  return match
    ? { accountId: match[1] as string, region: match[2] as string, containerGroupId: match[3] as string }
    : undefined;
}
