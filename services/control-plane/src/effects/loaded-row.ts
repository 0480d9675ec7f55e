import type { ContainerGroupState } from '#libs/domain';
import type { EffectRow, EventStore } from '#libs/event-store';
import type { WrappedKey } from '../keys/stream-vault.ts';
import { stateOf } from '../streams/stored-events.ts';

/** A row, and its stream as it was loaded for it. */
export interface LoadedRow {
  readonly row: EffectRow;
  readonly state: ContainerGroupState;
}

/** What is sealed of a stream; absent when it was destroyed. */
export interface SealedRow extends LoadedRow {
  readonly sealed: (WrappedKey & { readonly sealed: Uint8Array }) | undefined;
}

export async function loadStates(store: EventStore, rows: readonly EffectRow[]): Promise<readonly LoadedRow[]> {
  const loaded = await store.loadMany(streamIdsOf(rows));
  return rows.map((row) => ({ row, state: stateOf(loaded.get(row.streamId)) }));
}

export async function loadSealed(store: EventStore, rows: readonly EffectRow[]): Promise<readonly SealedRow[]> {
  const [loaded, sealed] = await Promise.all([loadStates(store, rows), store.readSealed(streamIdsOf(rows))]);
  return loaded.map((each) => ({ ...each, sealed: sealed.get(each.row.streamId) }));
}

const streamIdsOf = (rows: readonly EffectRow[]): readonly string[] => [
  ...new Set(rows.map(({ streamId }) => streamId)),
];
