import type { Pool } from 'pg';
import { CursorOfAnotherLog, type Cursor } from '#libs/event-store';
import type { NamedAuditKey } from './audit-key.ts';
import { entryText, formatOf, type FullSeal, type Seal, type SealEntry } from './seal.ts';

/** The subscription under which seals are made: its checkpoint moves with each seal. */
const SEALER = 'audit-seal';

/** Events that are not sealed yet, and what the next seal follows. */
interface Unsealed {
  readonly from: Cursor;
  readonly through: Cursor;
  readonly entries: readonly SealEntry[];
  /** Database time, ISO with milliseconds: the time of the seal to be made. */
  readonly now: string;
}

/** What the sealer needs of its store. */
export interface SealStore {
  /** The checkpoint, when `owner` may seal now; undefined: another sealer does. */
  lease(owner: string, leaseMs: number): Promise<Cursor | undefined>;
  leave(owner: string): Promise<void>;
  /** The first `limit` events after the checkpoint that every reader may see; no entries: none. */
  unsealed(from: Cursor, limit: number): Promise<Unsealed>;
  newest(): Promise<Seal | undefined>;
  seal(sequence: number): Promise<Seal | undefined>;
  /** False: the checkpoint was not ours any more; nothing was written. */
  append(owner: string, seal: FullSeal): Promise<boolean>;
  knowKey(key: NamedAuditKey): Promise<void>;
  /** Seals after the last that the feed was told, in order; empty when `owner` is not the sealer. */
  unpublished(owner: string, limit: number): Promise<readonly FullSeal[]>;
  notePublished(through: number): Promise<void>;
  /** Seals from this number on, in order; undefined when `owner` is not the sealer. */
  sealsFrom(owner: string, sequence: number, limit: number): Promise<readonly FullSeal[] | undefined>;
}

export const RECORDED_AT = `to_char(e.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export const SEAL_COLUMNS = `s.sequence, s.format, s.fleet, encode(s.previous, 'hex') as previous, encode(s.merkle_root, 'hex') as merkle_root, s.events, s.generation,
  s.from_transaction_id::text, s.from_position::text, s.through_transaction_id::text, s.through_position::text,
  to_char(s.recorded_from at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_from,
  to_char(s.recorded_to at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as recorded_to,
  to_char(s.sealed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as sealed_at,
  encode(s.digest, 'hex') as digest, s.key_id, s.signature`;

export interface SealRow {
  readonly sequence: string;
  readonly format: number;
  readonly fleet: string;
  readonly previous: string;
  readonly merkle_root: string;
  readonly events: number;
  readonly generation: number;
  readonly from_transaction_id: string;
  readonly from_position: string;
  readonly through_transaction_id: string;
  readonly through_position: string;
  readonly recorded_from: string;
  readonly recorded_to: string;
  readonly sealed_at: string;
  readonly digest: string;
  readonly key_id: string | null;
  readonly signature: string | null;
}

export function sealOf(row: SealRow): Seal {
  const { generation } = row;
  return {
    fleet: row.fleet,
    sequence: Number(row.sequence),
    previous: row.previous,
    merkleRoot: row.merkle_root,
    events: row.events,
    from: { generation, transactionId: row.from_transaction_id, position: row.from_position },
    through: { generation, transactionId: row.through_transaction_id, position: row.through_position },
    recordedFrom: row.recorded_from,
    recordedTo: row.recorded_to,
    sealedAt: row.sealed_at,
    digest: row.digest,
    ...(row.key_id !== null && { keyId: row.key_id }),
    ...(row.signature !== null && { signature: row.signature }),
    ...(row.format === 2 && { accepted: true }),
  };
}

/** @throws Error when the text is not a list of entries; whoever reads the table of a doubtful database must expect it. */
export function entriesOf(text: string): readonly SealEntry[] {
  const rows: unknown = JSON.parse(text);
  if (!Array.isArray(rows)) throw new Error('entries of a seal are not a list');
  return rows.map((row: unknown) => {
    const [streamId, version, type, recordedAt, digest] = Array.isArray(row) ? (row as unknown[]) : [];
    if (
      typeof streamId !== 'string' ||
      typeof version !== 'number' ||
      typeof type !== 'string' ||
      typeof recordedAt !== 'string' ||
      typeof digest !== 'string'
    )
      throw new Error('an entry of a seal is not [stream, version, type, recorded at, digest]');
    return { streamId, version, type, recordedAt, digest };
  });
}

export function entriesText(entries: readonly SealEntry[]): string {
  return `[${entries.map(entryText).join(',')}]`;
}

interface LeafRow {
  readonly transaction_id: string;
  readonly position: string;
  readonly stream_id: string;
  readonly version: string;
  readonly type: string;
  readonly recorded_at: string;
  readonly digest: string;
}

/** Seals in PostgreSQL. Pass a pool made by `createPool`. */
export class PostgresSealStore implements SealStore {
  private readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  async lease(owner: string, leaseMs: number): Promise<Cursor | undefined> {
    const { rows } = await this.pool.query<{
      generation: number;
      current: number;
      transaction_id: string;
      position: string;
    }>(
      `select s.generation, l.generation as current, s.last_transaction_id::text as transaction_id, s.last_position::text as position
         from es.lease_subscription($1, $2, $3) s, es.log l`,
      [SEALER, owner, leaseMs],
    );
    const [row] = rows;
    if (!row) return undefined;
    const at = { generation: row.generation, transactionId: row.transaction_id, position: row.position };
    if (row.generation !== row.current) throw new CursorOfAnotherLog(at, row.current);
    return at;
  }

  async leave(owner: string): Promise<void> {
    await this.pool.query('select es.leave_subscription($1, $2)', [SEALER, owner]);
  }

  async unsealed(from: Cursor, limit: number): Promise<Unsealed> {
    const [now, { rows }] = await Promise.all([
      this.pool.query<{ now: string }>(
        `select to_char(es.now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as now`,
      ),
      this.pool.query<LeafRow>({
        name: 'audit-unsealed',
        text: `select e.transaction_id::text, e.position::text, e.stream_id, e.version, e.type, ${RECORDED_AT} as recorded_at, encode(e.digest, 'hex') as digest
           from es.event e
          where (e.transaction_id, e.position) > ($1::xid8, $2::bigint) and e.transaction_id < es.horizon()
          order by e.transaction_id, e.position limit $3`,
        values: [from.transactionId, from.position, limit],
      }),
    ]);
    const last = rows.at(-1);
    return {
      from,
      through: last
        ? { generation: from.generation, transactionId: last.transaction_id, position: last.position }
        : from,
      entries: rows.map((row) => ({
        streamId: row.stream_id,
        version: Number(row.version),
        type: row.type,
        recordedAt: row.recorded_at,
        digest: row.digest,
      })),
      now: now.rows[0]!.now,
    };
  }

  async newest(): Promise<Seal | undefined> {
    const { rows } = await this.pool.query<SealRow>(
      `select ${SEAL_COLUMNS} from es.seal s order by s.sequence desc limit 1`,
    );
    return rows[0] && sealOf(rows[0]);
  }

  async seal(sequence: number): Promise<Seal | undefined> {
    const { rows } = await this.pool.query<SealRow>(`select ${SEAL_COLUMNS} from es.seal s where s.sequence = $1`, [
      sequence,
    ]);
    return rows[0] && sealOf(rows[0]);
  }

  async append(owner: string, seal: FullSeal): Promise<boolean> {
    const { from, through, entries } = seal;
    const { rows } = await this.pool.query<{ done: boolean }>('select es.append_seal($1, $2) as done', [
      owner,
      JSON.stringify({
        sequence: seal.sequence,
        format: formatOf(seal),
        fleet: seal.fleet,
        previous: `\\x${seal.previous}`,
        merkle_root: `\\x${seal.merkleRoot}`,
        events: seal.events,
        generation: from.generation,
        from_transaction_id: from.transactionId,
        from_position: from.position,
        through_transaction_id: through.transactionId,
        through_position: through.position,
        recorded_from: seal.recordedFrom,
        recorded_to: seal.recordedTo,
        sealed_at: seal.sealedAt,
        entries: entriesText(entries),
        digest: `\\x${seal.digest}`,
        key_id: seal.keyId,
        signature: seal.signature,
      }),
    ]);
    return rows[0]?.done === true;
  }

  async knowKey(key: NamedAuditKey): Promise<void> {
    await this.pool.query('select es.know_audit_key($1, $2)', [key.kid, key]);
  }

  async unpublished(owner: string, limit: number): Promise<readonly FullSeal[]> {
    const { rows } = await this.pool.query<SealRow & { readonly entries: string }>(
      `select ${SEAL_COLUMNS}, s.entries from es.seal s
        where s.sequence > (select p.sequence from es.seal_published p)
          and exists (select 1 from es.subscription u where u.name = $1 and u.owner = $2)
        order by s.sequence limit $3`,
      [SEALER, owner, limit],
    );
    return rows.map((row) => ({ ...sealOf(row), entries: entriesOf(row.entries) }));
  }

  async sealsFrom(owner: string, sequence: number, limit: number): Promise<readonly FullSeal[] | undefined> {
    const { rows } = await this.pool.query<{ [C in keyof SealRow]: SealRow[C] | null } & { readonly entries: string }>(
      `select ${SEAL_COLUMNS}, s.entries from es.subscription u
         left join lateral (select * from es.seal where sequence >= $2 order by sequence limit $3) s on true
        where u.name = $1 and u.owner = $4
        order by s.sequence`,
      [SEALER, sequence, limit, owner],
    );
    if (rows.length === 0) return undefined;
    return rows.flatMap((row) =>
      row.sequence === null ? [] : [{ ...sealOf(row as SealRow), entries: entriesOf(row.entries) }],
    );
  }

  async notePublished(through: number): Promise<void> {
    await this.pool.query('select es.note_seals_published($1)', [through]);
  }
}
