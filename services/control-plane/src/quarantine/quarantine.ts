import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { cleanText } from '#libs/contracts';
import type { Clock } from '#libs/runtime';
import type { QuarantineDesk, QuarantinedMessage } from '../intake/ports.ts';
import { foldKey } from './fold-key.ts';
import { DEFAULT_QUARANTINE_LIMITS, type QuarantineLimits } from './quarantine-limits.ts';

/** What is kept of one message; of its value, length and digest are those of the whole. Text in characters, the value in bytes. */
export const KEPT = { key: 512, reason: 2_000, clear: 16_384, original: 16_384, headers: 4_096 } as const;

/**
 * Beside the rows of a statement: its commit does not wait for the disk. The commit that moves the offset over the message does, and with it all that
 * was committed before, so a row is never lost whose message is not read again.
 */
const UNHURRIED = `set_config('synchronous_commit', 'off', true)`;

/** The bucket of everybody whose seal proves nothing; no cluster has an empty id. */
const STRANGERS = '';
/** Of a row; the same expression as in its index. */
const bucketIn = (row: string): string => `(case when ${row}proven then ${row}cluster_id else '' end)`;
const BUCKET = bucketIn('');

interface Group {
  readonly first: QuarantinedMessage;
  readonly last: QuarantinedMessage;
  /** Messages of these offsets, all of one log. */
  readonly offsets: readonly bigint[];
}

/** A row that was written, and the place of its first message. */
interface Written {
  readonly fold_key: Buffer;
  readonly log_epoch: number;
  readonly message_offset: string;
}

/**
 * Where messages wait for somebody to look at them, within bounds: a message that comes again counts in its row, a long one is cut, and each sender
 * has so many rows, with one bucket for all whose seal proves nothing. So whatever one sender does, the others' rows stay.
 */
export class Quarantine implements QuarantineDesk {
  private readonly pool: Pool;
  private readonly clock: Clock;
  private readonly limits: QuarantineLimits;

  constructor(parts: { readonly pool: Pool; readonly clock: Clock; readonly limits?: QuarantineLimits }) {
    this.pool = parts.pool;
    this.clock = parts.clock;
    this.limits = parts.limits ?? DEFAULT_QUARANTINE_LIMITS;
  }

  async add(messages: readonly QuarantinedMessage[]): Promise<readonly QuarantinedMessage[]> {
    const groups = groupsOf(messages);
    if (groups.size === 0) return [];
    const rows = new Map((await this.write(groups)).map((row) => [row.fold_key.toString('hex'), row]));
    // More at once than a statement can make room for.
    if (groups.size > this.limits.rows) await this.trim(new Set(messages.map(bucketOf)));
    return [...groups].flatMap(([fold, { first }]) => {
      const row = rows.get(fold);
      // A process that died between the row and what follows from it meets its first place once more.
      return row && !isPlace(row, first) ? [] : [first];
    });
  }

  /** Removes what is too old; returns how many. */
  async forgetOld(): Promise<number> {
    const before = new Date(this.clock.now() - this.limits.retentionMs);
    const { rowCount } = await this.pool.query('delete from fleet.quarantine where last_seen_at < $1', [before]);
    // Rows of before there was a bound, and of writers that know none.
    const { rows } = await this.pool.query<{ bucket: string }>(
      `select ${BUCKET} as bucket from fleet.quarantine group by 1 having count(*) > $1`,
      [this.limits.rows],
    );
    return (rowCount ?? 0) + (await this.trim(new Set(rows.map(({ bucket }) => bucket))));
  }

  /**
   * Keeps those that are new, counts those that have a row, and makes room, in one statement: whoever sends rubbish is not to cost more. A batch that
   * is handled once more brings places that were counted.
   */
  private async write(groups: ReadonlyMap<string, Group>): Promise<readonly Written[]> {
    const of = <T>(read: (message: QuarantinedMessage, group: Group, fold: string) => T): T[] =>
      [...groups].map(([fold, group]) => read(group.first, group, fold));
    const reached = 'case when q.last_log_epoch = t.epoch then coalesce(q.last_offset, -1) else -1 end';
    const { rows } = await this.pool.query<Written>({
      // Planning it costs several times what it does.
      name: 'quarantine-write',
      text: `with t as materialized (
         select t.* from unnest($2::text[], $3::integer[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::boolean[], $9::text[], $10::text[],
                                $11::bytea[], $12::bigint[], $13::bytea[], $14::text[], $15::bytea[], $16::bigint[], $17::text[])
           as t (topic, epoch, partition, message_offset, message_key, cluster_id, proven, reason, clear_part,
                 original, value_bytes, value_digest, headers, fold_key, last_offset, offsets), ${UNHURRIED}),
       counted as (
         update fleet.quarantine q
            set seen = q.seen + (select count(*) from unnest(string_to_array(t.offsets, ',')::bigint[]) each where each > ${reached}),
                last_seen_at = case when t.last_offset > ${reached} then $1 else q.last_seen_at end,
                last_offset = greatest(t.last_offset, ${reached}), last_log_epoch = t.epoch
           from t where q.fold_key = t.fold_key
         returning q.id, q.fold_key, q.log_epoch, q.message_offset, ${bucketIn('q.')} as bucket),
       fresh as (
         insert into fleet.quarantine
           (topic, log_epoch, partition, message_offset, message_key, cluster_id, proven, reason, clear_part, original, value_bytes, value_digest,
            headers, quarantined_at, last_seen_at, fold_key, seen, last_log_epoch, last_offset)
         select topic, epoch, partition, message_offset, message_key, cluster_id, proven, reason, clear_part, original, value_bytes, value_digest,
                headers::jsonb, $1, $1, fold_key, cardinality(string_to_array(offsets, ',')), epoch, last_offset
           from t where not exists (select from fleet.quarantine q where q.fold_key = t.fold_key)
          order by message_offset
         on conflict do nothing returning fold_key, log_epoch, message_offset, ${BUCKET} as bucket),
       -- What is counted here cannot be deleted here, wherever it stands: it stays, and the room that it takes is taken from the others.
       full_buckets as (
         select bucket, count(*) as more, array(select c.id from counted c where c.bucket = f.bucket) as again from fresh f group by bucket),
       trimmed as (
         -- Beside the rows of this statement, which it does not see yet.
         delete from fleet.quarantine where id in (
           select o.id from full_buckets b, lateral (
             select id from fleet.quarantine where ${BUCKET} = b.bucket and id <> all (b.again) and id <=
               (select id from fleet.quarantine where ${BUCKET} = b.bucket and id <> all (b.again)
                 order by id desc offset greatest($18 - b.more - cardinality(b.again), 0) limit 1)
             for update skip locked) o))
       select fold_key, log_epoch, message_offset from counted union all select fold_key, log_epoch, message_offset from fresh`,
      values: [
        new Date(this.clock.now()),
        of(({ topic }) => topic),
        of(({ epoch }) => epoch),
        of(({ partition }) => partition),
        of(({ offset }) => offset),
        of(({ key }) => storable(key, KEPT.key)),
        of(({ sender }) => (sender.clusterId === undefined ? null : storable(sender.clusterId, KEPT.key))),
        of(({ sender }) => sender.proven),
        of(({ reason }) => storable(reason, KEPT.reason)),
        of(({ clear }) => (clear === undefined ? null : storable(clear, KEPT.clear))),
        of(({ original }) => original && Buffer.from(original.subarray(0, KEPT.original))),
        of(({ original }) => original && original.byteLength),
        of(({ original }) => original && createHash('sha256').update(original).digest()),
        of(({ headers }) => JSON.stringify(keptHeaders(headers))),
        of((_, __, fold) => Buffer.from(fold, 'hex')),
        of((_, { last }) => last.offset),
        of((_, { offsets }) => offsets.join(',')),
        this.limits.rows,
      ],
    });
    return rows;
  }

  /** Removes the oldest rows of buckets that are too full; returns how many. */
  private async trim(buckets: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    for (const bucket of buckets) {
      const { rowCount } = await this.pool.query(
        `delete from fleet.quarantine where id in (
           select id from fleet.quarantine where ${BUCKET} = $1 and id <=
             (select id from fleet.quarantine where ${BUCKET} = $1 order by id desc offset $2 limit 1)
           for update skip locked)`,
        [bucket, this.limits.rows],
      );
      removed += rowCount ?? 0;
    }
    return removed;
  }
}

function groupsOf(messages: readonly QuarantinedMessage[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const message of messages) {
    const fold = foldKey(message);
    const group = groups.get(fold);
    const offset = BigInt(message.offset);
    if (!group) groups.set(fold, { first: message, last: message, offsets: [offset] });
    else groups.set(fold, { first: group.first, last: message, offsets: [...group.offsets, offset] });
  }
  return groups;
}

function bucketOf({ sender }: QuarantinedMessage): string {
  return sender.proven ? sender.clusterId : STRANGERS;
}

function isPlace(row: Written, { epoch, offset }: QuarantinedMessage): boolean {
  return row.log_epoch === epoch && row.message_offset === offset;
}

/** Whole headers, as far as there is room. */
function keptHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {};
  let room: number = KEPT.headers;
  for (const [name, value] of Object.entries(headers)) {
    room -= name.length + value.length;
    if (room < 0) break;
    kept[storable(name, KEPT.headers)] = storable(value, KEPT.headers);
  }
  return kept;
}

/** Bytes that made no sense may hold what cannot be kept. */
const storable = (text: string, most: number): string => cleanText(text.slice(0, most));
