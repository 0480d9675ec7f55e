import { CursorOfAnotherLog } from '../cursor.ts';
import {
  EventStore,
  InboxMoved,
  type AppendResult,
  type Cursor,
  type InboxMove,
  type KeptEventKey,
  type RecordedEvent,
  type StreamAppend,
} from '../event-store.ts';
import { Nudge } from '../nudge.ts';
import { checkedAppend } from './checked-append.ts';
import type { InMemoryDatabase } from './in-memory-database.ts';
import { GENERATION, iso, rowKey, type InboxRecord, type SealedRecord, type Tables } from './tables.ts';
import { writeStreams } from './write-streams.ts';

/** The store in memory. A replica has its own; all of them share the database. */
export class InMemoryEventStore extends EventStore {
  /** Told after every append through this adapter. */
  readonly appended = new Nudge();
  private readonly tables: Tables;
  private readonly jitter: () => number;

  /** `jitter`: uniform in [0, 1), moves the first probe of a new gate by ± 20 %; default none. */
  constructor(database: InMemoryDatabase, { jitter = () => 0.5 }: { readonly jitter?: () => number } = {}) {
    super();
    this.tables = database.tables;
    this.jitter = jitter;
  }

  async loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    const streams = new Map<string, readonly RecordedEvent[]>();
    for (const streamId of streamIds) {
      const row = this.tables.streams.get(streamId);
      if (row) streams.set(streamId, row.events);
    }
    return streams;
  }

  async append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
    if (streams.length === 0 && !inbox) return [];
    const checked = checkedAppend(streams);
    const partition = inbox && this.partitionOf(inbox);
    const results = writeStreams(this.tables, checked, this.jitter());
    if (inbox && results.every((result) => result.ok)) partition!.offset = BigInt(inbox.to);
    this.appended.nudge();
    return results;
  }

  async readAll(
    after: Cursor,
    limit: number,
  ): Promise<{ readonly events: readonly RecordedEvent[]; readonly next: Cursor }> {
    if (after.generation !== 0 && after.generation !== GENERATION) throw new CursorOfAnotherLog(after, GENERATION);
    // Positions are dense here, and the pair (transaction, position) has their order.
    const from = Number(after.position);
    const events = this.tables.log.slice(from, from + limit);
    return { events, next: events.at(-1)?.cursor ?? { ...after, generation: GENERATION } };
  }

  async findByAlias(aliases: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const alias of aliases) {
      const streamId = this.tables.aliases.get(alias);
      if (streamId !== undefined) found.set(alias, streamId);
    }
    return found;
  }

  async readSealed(streamIds: readonly string[]): Promise<ReadonlyMap<string, SealedRecord>> {
    const found = new Map<string, SealedRecord>();
    for (const streamId of streamIds) {
      const row = this.tables.sealed.get(streamId);
      if (row) {
        const { wrappedKey, keyId, sealed } = row;
        found.set(streamId, { wrappedKey: Uint8Array.from(wrappedKey), keyId, sealed: Uint8Array.from(sealed) });
      }
    }
    return found;
  }

  async readEventKeys(streamIds: readonly string[]): Promise<ReadonlyMap<string, KeptEventKey>> {
    const found = new Map<string, KeptEventKey>();
    for (const streamId of streamIds) {
      const row = this.tables.eventKeys.get(streamId);
      if (!row) continue;
      const { key, forgottenAt } = row;
      const closedAt = this.tables.streams.get(streamId)?.closedAt;
      found.set(streamId, {
        ...(key && { key: { keyId: key.keyId, wrappedKey: Uint8Array.from(key.wrappedKey) } }),
        ...(closedAt !== undefined && { closedAt: iso(closedAt) }),
        ...(forgottenAt !== undefined && { forgottenAt: iso(forgottenAt) }),
      });
    }
    return found;
  }

  async forgetEventKeys(closedBefore: number, most: number): Promise<number> {
    const closedAt = (streamId: string): number => this.tables.streams.get(streamId)?.closedAt ?? Infinity;
    const due = [...this.tables.eventKeys]
      .filter(([streamId, { key }]) => key && closedAt(streamId) < closedBefore)
      .sort(([a], [b]) => closedAt(a) - closedAt(b))
      .slice(0, most);
    for (const [, row] of due) Object.assign(row, { key: undefined, forgottenAt: this.tables.now() });
    return due.length;
  }

  async inboxOffset(
    group: string,
    topic: string,
    partition: number,
  ): Promise<{ epoch: number; offset: string } | undefined> {
    const row = this.tables.inbox.get(rowKey(group, topic, partition));
    return row && { epoch: row.epoch, offset: row.offset.toString() };
  }

  async beginInboxEpoch(group: string, topic: string, partition: number, offset: string): Promise<number> {
    const key = rowKey(group, topic, partition);
    const row = this.tables.inbox.get(key);
    if (!row) {
      this.tables.inbox.set(key, { group, topic, partition, epoch: 1, offset: BigInt(offset) });
      return 1;
    }
    row.epoch += 1;
    row.offset = BigInt(offset);
    return row.epoch;
  }

  /** A consumer that was replaced is stopped also where a stream of its append failed. */
  private partitionOf({ group, topic, partition, epoch, from }: InboxMove): InboxRecord {
    const row = this.tables.inbox.get(rowKey(group, topic, partition));
    if (row?.epoch === epoch && row.offset === BigInt(from)) return row;
    throw new InboxMoved(
      `inbox offset ${from} of ${group} on ${topic}/${partition} (epoch ${epoch}) was moved by another consumer; nothing was written`,
    );
  }
}
