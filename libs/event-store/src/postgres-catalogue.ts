import { Catalogue, type AbridgedEvent, type EventPlace, type LeftOut } from './catalogue.ts';
import { BEGINNING } from './cursor.ts';
import type { Cursor, JsonObject, RecordedEvent } from './event-store.ts';
import { EVENT_COLUMNS, toEvent, type EventColumns } from './event-columns.ts';
import type { SqlClient } from './sql-client.ts';
import { isStorable } from './storable.ts';

interface CursorColumns {
  readonly generation: number;
  readonly transaction_id: string;
  readonly position: string;
}

/** The catalogue on PostgreSQL: of a pool, or of a connection, which then reads in its transaction. */
export class PostgresCatalogue extends Catalogue {
  private readonly sql: SqlClient;

  constructor(sql: SqlClient) {
    super();
    this.sql = sql;
  }

  async head(): Promise<Cursor> {
    const [row] = await this.rows<CursorColumns>(
      `select (select generation from es.log) as generation, e.transaction_id::text as transaction_id, e.position::text as position
         from es.event e where e.transaction_id < es.horizon() order by e.transaction_id desc, e.position desc limit 1`,
    );
    return row ? cursorOf(row) : BEGINNING;
  }

  async newest(limit: number): Promise<readonly RecordedEvent[]> {
    const rows = await this.rows<EventColumns>(
      `select ${EVENT_COLUMNS} from es.event e where e.transaction_id < es.horizon()
        order by e.transaction_id desc, e.position desc limit $1`,
      [limit],
    );
    return rows.map(toEvent);
  }

  async between(after: Cursor, through: Cursor, limit: number, only?: 'opening'): Promise<readonly EventPlace[]> {
    const rows = await this.rows<CursorColumns & { readonly stream_id: string }>(
      `select e.stream_id, e.transaction_id::text as transaction_id, e.position::text as position from es.event e
        where (e.transaction_id, e.position) > ($1::text::xid8, $2) and (e.transaction_id, e.position) <= ($3::text::xid8, $4)
          ${only === 'opening' ? 'and e.version = 1' : ''}
        order by e.transaction_id, e.position limit $5`,
      [after.transactionId, after.position, through.transactionId, through.position, limit],
    );
    const { generation } = through;
    return rows.map((row) => ({ streamId: row.stream_id, cursor: cursorOf({ ...row, generation }) }));
  }

  /** One row of the answer is a stream: a hundred thousand small rows would cost the driver more than their events cost whoever folds them. */
  async abridged(
    streamIds: readonly string[],
    { type, ofType, ofOthers }: LeftOut = { type: '', ofType: [], ofOthers: [] },
  ): Promise<ReadonlyMap<string, readonly AbridgedEvent[]>> {
    const rows = await this.rows<{ stream_id: string; told: string }>(
      `select e.stream_id,
              json_agg(json_build_array(e.version, e.type, e.schema_version, e.metadata ->> 'decidedAt',
                                        case when e.type = $2 then e.data - $3::text[] else e.data - $4::text[] end) order by e.version)::text as told
         from es.load($1) e group by e.stream_id`,
      [streamIds.filter(isStorable), type, ofType, ofOthers],
    );
    return new Map(rows.map(({ stream_id: streamId, told }) => [streamId, toldOf(streamId, told)]));
  }

  async progressOf(subscription: string): Promise<Cursor | undefined> {
    const [row] = await this.rows<CursorColumns>(
      `select generation, last_transaction_id::text as transaction_id, last_position::text as position from es.subscription where name = $1`,
      [subscription],
    );
    return row && cursorOf(row);
  }

  async estimateStreams(): Promise<number> {
    const [row] = await this.rows<{ streams: number }>(
      `select greatest(reltuples, 0)::float8 as streams from pg_class where oid = 'es.stream'::regclass`,
    );
    return row!.streams;
  }

  async versionsOf(streamIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (streamIds.length === 0) return new Map();
    return versions(
      await this.rows('select stream_id, version from es.stream where stream_id = any ($1)', [
        streamIds.filter(isStorable),
      ]),
    );
  }

  async openStreams(prefix: string): Promise<ReadonlyMap<string, number>> {
    return versions(
      await this.rows(
        'select stream_id, version from es.stream where closed_at is null and stream_id >= $1 and stream_id < $2',
        [prefix, endOf(prefix)],
      ),
    );
  }

  async countOpenStreams(prefix: string): Promise<number> {
    const [row] = await this.rows<{ streams: string }>(
      'select count(*) as streams from es.stream where closed_at is null and stream_id >= $1 and stream_id < $2',
      [prefix, endOf(prefix)],
    );
    return Number(row!.streams);
  }

  async openAliases(prefix: string): Promise<ReadonlyMap<string, string>> {
    const rows = await this.rows<{ alias: string; stream_id: string }>(
      `select a.alias, a.stream_id from es.alias a join es.stream s on s.stream_id = a.stream_id and s.closed_at is null
        where a.alias >= $1 and a.alias < $2`,
      [prefix, endOf(prefix)],
    );
    return new Map(rows.map((row) => [row.alias, row.stream_id]));
  }

  private async rows<Row>(text: string, parameters?: unknown[]): Promise<readonly Row[]> {
    return (await this.sql.query(text, parameters)) as unknown as readonly Row[];
  }
}

type Told = readonly [version: number, type: string, schemaVersion: number, decidedAt: string, data: JsonObject];

const toldOf = (streamId: string, told: string): readonly AbridgedEvent[] =>
  (JSON.parse(told) as readonly Told[]).map(([version, type, schemaVersion, decidedAt, data]) => ({
    ...{ streamId, version, type, schemaVersion, data },
    metadata: { decidedAt },
  }));

/** What follows every name that begins so, in "C", the collation of names. */
const endOf = (prefix: string): string =>
  prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

const cursorOf = ({ generation, transaction_id: transactionId, position }: CursorColumns): Cursor => ({
  generation,
  transactionId,
  position,
});

const versions = (rows: readonly { stream_id: string; version: string }[]): ReadonlyMap<string, number> =>
  new Map(rows.map((row) => [row.stream_id, Number(row.version)]));
