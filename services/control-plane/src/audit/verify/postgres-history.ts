import type { Pool } from 'pg';
import { digestOf, type Cursor, type EventMetadata, type JsonObject } from '#libs/event-store';
import type { NamedAuditKey } from '../audit-key.ts';
import { PublicAuditKey, publicAuditKey } from '../audit-key.ts';
import type { Seal, SealEntry } from '../seal.ts';
import { entriesOf, RECORDED_AT, SEAL_COLUMNS, sealOf, type SealRow } from '../seal-store.ts';
import type { Bound, HistoricEvent, History, StreamFace, TwoFacedTable, UnsettledEvent } from './history.ts';
import { streamsAstray } from './streams-astray.ts';
import { twoFacedTables } from './table-faces.ts';

interface EventRow {
  readonly transaction_id: string;
  readonly position: string;
  readonly recorded_at: string;
  readonly stream_id: string;
  readonly version: string;
  readonly event_id: string;
  readonly type: string;
  readonly schema_version: number;
  readonly data: JsonObject;
  readonly metadata: EventMetadata;
  readonly digest: string;
}

const EVENT_COLUMNS = `e.transaction_id::text, e.position::text, ${RECORDED_AT} as recorded_at, e.stream_id, e.version, e.event_id, e.type,
  e.schema_version, e.data, e.metadata, encode(e.digest, 'hex') as digest`;

/** The store on PostgreSQL, by its tables alone: functions may have been replaced by whoever changed a row. Reads only. */
export class PostgresHistory implements History {
  private readonly pool: Pool;
  private readonly generation: number;

  private constructor(pool: Pool, generation: number) {
    this.pool = pool;
    this.generation = generation;
  }

  static async open(pool: Pool): Promise<PostgresHistory> {
    const { rows } = await pool.query<{ generation: number }>('select generation from es.log');
    const [log] = rows;
    if (!log)
      throw new Error(
        'table es.log is empty: somebody has removed its only row, which tells old cursors from new ones',
      );
    return new PostgresHistory(pool, log.generation);
  }

  async firstSealFor(bound: Bound): Promise<number | undefined> {
    const { rows } = await this.pool.query<{ sequence: string }>(
      'time' in bound
        ? {
            text: 'select sequence from es.seal where recorded_to >= $1 order by sequence limit 1',
            values: [bound.time],
          }
        : {
            text: `select sequence from es.seal where (through_transaction_id, through_position) >= ($1::xid8, $2::bigint) order by sequence limit 1`,
            values: [bound.cursor.transactionId, bound.cursor.position],
          },
    );
    return rows[0] && Number(rows[0].sequence);
  }

  async seals(from: number, limit: number): Promise<readonly Seal[]> {
    const { rows } = await this.pool.query<SealRow>({
      name: 'verify-seals',
      text: `select ${SEAL_COLUMNS} from es.seal s where s.sequence >= $1 order by s.sequence limit $2`,
      values: [from, limit],
    });
    return rows.map(sealOf);
  }

  async entries(sequence: number): Promise<readonly SealEntry[] | undefined> {
    const { rows } = await this.pool.query<{ entries: string }>('select entries from es.seal where sequence = $1', [
      sequence,
    ]);
    try {
      return rows[0] && entriesOf(rows[0].entries);
    } catch {
      return undefined;
    }
  }

  async events(after: Cursor, limit: number): Promise<readonly HistoricEvent[]> {
    const { rows } = await this.pool.query<EventRow>({
      name: 'verify-events',
      text: `select ${EVENT_COLUMNS} from es.event e
              where (e.transaction_id, e.position) > ($1::xid8, $2::bigint)
                and e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
              order by e.transaction_id, e.position limit $3`,
      values: [after.transactionId, after.position, limit],
    });
    return rows.map((row) => this.historic(row));
  }

  async find(
    ids: readonly { readonly streamId: string; readonly version: number }[],
  ): Promise<readonly HistoricEvent[]> {
    const { rows } = await this.pool.query<EventRow>({
      name: 'verify-find',
      text: `select ${EVENT_COLUMNS} from unnest($1::text[], $2::bigint[]) i (stream_id, version)
               join es.event e on e.stream_id = i.stream_id and e.version = i.version`,
      values: [ids.map((id) => id.streamId), ids.map((id) => id.version)],
    });
    return rows.map((row) => this.historic(row));
  }

  async unsettled(after: Cursor, limit: number): Promise<readonly UnsettledEvent[]> {
    // Whoever sees a row sees a transaction that has ended, so its number must be one that this very snapshot calls ended.
    const { rows } = await this.pool.query<EventRow & { readonly impossible: boolean }>(
      `select ${EVENT_COLUMNS}, not pg_visible_in_snapshot(e.transaction_id, pg_current_snapshot()) as impossible from es.event e
        where (e.transaction_id, e.position) > ($1::xid8, $2::bigint)
        order by e.transaction_id, e.position limit $3`,
      [after.transactionId, after.position, limit],
    );
    return rows.map((row) => ({ ...this.historic(row), isImpossible: row.impossible }));
  }

  streamsAstray(since: string | undefined): Promise<readonly StreamFace[]> {
    return streamsAstray(this.pool, since);
  }

  twoFacedTables(): Promise<readonly TwoFacedTable[]> {
    return twoFacedTables(this.pool);
  }

  private historic(row: EventRow): HistoricEvent {
    const version = Number(row.version);
    const { stream_id: streamId, type } = row;
    return {
      streamId,
      version,
      type,
      recordedAt: row.recorded_at,
      digest: computedDigest(row),
      storedDigest: row.digest,
      cursor: { generation: this.generation, transactionId: row.transaction_id, position: row.position },
    };
  }
}

/** A row that somebody wrote by hand may hold what no appender could have hashed, a number beyond doubles for example. */
function computedDigest(row: EventRow): string {
  try {
    return digestOf(row.stream_id, Number(row.version), {
      eventId: row.event_id,
      type: row.type,
      schemaVersion: row.schema_version,
      data: row.data,
      metadata: row.metadata,
    }).toString('hex');
  } catch {
    return 'nothing: no appender could have written it';
  }
}

/** Public keys that have signed, as PostgreSQL tells it. */
export async function keysInPostgres(pool: Pool): Promise<readonly NamedAuditKey[]> {
  const { rows } = await pool.query<{ key_id: string; public_jwk: unknown }>(
    'select key_id, public_jwk from es.audit_key order by first_seen, key_id',
  );
  return rows.flatMap((row) => {
    const key = PublicAuditKey.safeParse(row.public_jwk);
    return key.success ? [publicAuditKey({ ...key.data, kid: row.key_id })] : [];
  });
}
