import type { EventStore, RecordedEvent, SqlClient } from '#libs/event-store';
import { containerGroupRow } from '../container-groups/container-group-row.ts';
import { containerGroupStreams } from '../streams/stored-events.ts';
import { LIVE, writeRows } from './write-rows.ts';

/** Streams of one load: their events are held at once. */
const STREAMS_PER_LOAD = 500;

/**
 * Keeps the read model: each stream of a batch is folded from its beginning and its row written anew, so that a batch that comes twice, or a
 * rebuild from the first event, ends in the same rows. Runs in the transaction that moves the subscription's checkpoint.
 */
export class ContainerGroupProjection {
  private readonly store: EventStore;

  constructor(store: EventStore) {
    this.store = store;
  }

  async apply(events: readonly RecordedEvent[], transaction: SqlClient): Promise<void> {
    const streams = containerGroupStreams(events);
    for (let start = 0; start < streams.length; start += STREAMS_PER_LOAD) {
      const loaded = await this.store.loadMany(streams.slice(start, start + STREAMS_PER_LOAD));
      await writeRows(transaction, LIVE, [...loaded.values()].map(containerGroupRow));
    }
  }
}
