import { Catalogue, type AbridgedEvent, type EventPlace, type LeftOut } from '../catalogue.ts';
import { BEGINNING, compareCursors } from '../cursor.ts';
import type { Cursor, RecordedEvent } from '../event-store.ts';
import type { InMemoryDatabase } from './in-memory-database.ts';
import type { StreamRecord, Tables } from './tables.ts';

/** The catalogue of a store in memory: everybody may see every event at once. */
export class InMemoryCatalogue extends Catalogue {
  private readonly tables: Tables;

  constructor(database: InMemoryDatabase) {
    super();
    this.tables = database.tables;
  }

  async head(): Promise<Cursor> {
    return this.tables.log.at(-1)?.cursor ?? BEGINNING;
  }

  async newest(limit: number): Promise<readonly RecordedEvent[]> {
    return limit > 0 ? this.tables.log.slice(-limit).reverse() : [];
  }

  async between(after: Cursor, through: Cursor, limit: number, only?: 'opening'): Promise<readonly EventPlace[]> {
    return this.tables.log
      .slice(Number(after.position))
      .filter(({ cursor, version }) => compareCursors(cursor, through) <= 0 && (only === undefined || version === 1))
      .slice(0, limit)
      .map(({ streamId, cursor }) => ({ streamId, cursor }));
  }

  async abridged(
    streamIds: readonly string[],
    { type, ofType, ofOthers }: LeftOut = { type: '', ofType: [], ofOthers: [] },
  ): Promise<ReadonlyMap<string, readonly AbridgedEvent[]>> {
    const abridge = (event: RecordedEvent): AbridgedEvent => {
      const { streamId, version, schemaVersion, metadata } = event;
      const leftOut = new Set(event.type === type ? ofType : ofOthers);
      const data = Object.fromEntries(Object.entries(event.data).filter(([member]) => !leftOut.has(member)));
      return { streamId, version, type: event.type, schemaVersion, data, metadata: { decidedAt: metadata.decidedAt } };
    };
    return new Map(
      streamIds.flatMap((id) => {
        const row = this.tables.streams.get(id);
        return row ? [[id, row.events.map(abridge)] as const] : [];
      }),
    );
  }

  async progressOf(subscription: string): Promise<Cursor | undefined> {
    return this.tables.subscription(subscription)?.at;
  }

  async estimateStreams(): Promise<number> {
    return this.tables.streams.size;
  }

  async versionsOf(streamIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return versions(streamIds.flatMap((id) => this.tables.streams.get(id) ?? []));
  }

  async openStreams(prefix: string): Promise<ReadonlyMap<string, number>> {
    return versions(this.open(prefix));
  }

  async countOpenStreams(prefix: string): Promise<number> {
    return this.open(prefix).length;
  }

  async openAliases(prefix: string): Promise<ReadonlyMap<string, string>> {
    const isOpen = (streamId: string): boolean => this.tables.streams.get(streamId)?.closedAt === undefined;
    return new Map(
      [...this.tables.aliases].filter(([alias, streamId]) => alias.startsWith(prefix) && isOpen(streamId)),
    );
  }

  private open(prefix: string): readonly StreamRecord[] {
    return [...this.tables.streams].flatMap(([id, row]) =>
      id.startsWith(prefix) && row.closedAt === undefined ? row : [],
    );
  }
}

const versions = (rows: readonly StreamRecord[]): ReadonlyMap<string, number> =>
  new Map(rows.map(({ events }) => [events[0]!.streamId, events.length]));
