import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type pg from 'pg';
import { z } from 'zod';
import { bigintPosition, PageCursor, pageOf, PageQuery } from '../answers/page.ts';
import { notFound } from '../answers/refusal.ts';

const CURSOR = new PageCursor('quarantine', z.tuple([bigintPosition]));

export const QuarantineFilter = PageQuery.extend({
  /** Messages that this cluster has sent, as their seals prove. */
  cluster: z.string().max(63).optional(),
  sender: z.enum(['proven', 'unproven']).optional(),
});
export type QuarantineFilter = z.infer<typeof QuarantineFilter>;

const QuarantineItem = z
  .object({
    id: z.string(),
    topic: z.string(),
    logEpoch: z.number().int(),
    partition: z.number().int(),
    offset: z.string(),
    key: z.string(),
    /** Who sent it: its seal fits a key of this cluster. */
    clusterId: z.string().optional(),
    /** Whom the message's key names, when no seal proves it: anybody may have written that. */
    claimedClusterId: z.string().optional(),
    reason: z.string(),
    /** Of the whole message, which may be more than is kept. */
    bytes: z.number().int(),
    /** How often it came. */
    seen: z.number().int(),
    quarantinedAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime(),
  })
  .meta({ id: 'QuarantineItem' });
type QuarantineItem = z.infer<typeof QuarantineItem>;

export const QuarantinePage = z
  .object({ items: z.array(QuarantineItem), nextCursor: z.string().optional() })
  .meta({ id: 'QuarantinePage' });
export type QuarantinePage = z.infer<typeof QuarantinePage>;

export const QuarantinedView = QuarantineItem.extend({
  headers: z.record(z.string(), z.string()),
  /** The envelope's clear part as it came, when it could be read; its first 16,384 characters. */
  clear: z.string().optional(),
  /** The first 16,384 bytes of the message, base64; absent when it had no value. */
  original: z.string().optional(),
  /** SHA-256 of the whole message, hexadecimal. */
  digest: z.string().optional(),
}).meta({ id: 'QuarantinedMessage' });
export type QuarantinedView = z.infer<typeof QuarantinedView>;

interface Row {
  readonly id: string;
  readonly topic: string;
  readonly log_epoch: number;
  readonly partition: number;
  readonly message_offset: string;
  readonly message_key: string;
  readonly cluster_id: string | null;
  readonly proven: boolean;
  readonly reason: string;
  readonly bytes: string;
  readonly seen: string;
  readonly quarantined_at: Date;
  readonly last_seen_at: Date;
}

interface FullRow extends Row {
  readonly headers: Record<string, string>;
  readonly clear_part: string | null;
  readonly original: Buffer | null;
  readonly value_digest: Buffer | null;
}

const COLUMNS = `id, topic, log_epoch, partition, message_offset, message_key, cluster_id, proven, reason, coalesce(value_bytes, octet_length(original), 0) as bytes, seen, quarantined_at, last_seen_at`;

/** Reads the quarantine for people. */
export class QuarantineReader {
  private readonly pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.pool = pool;
  }

  async page({ limit, cursor, cluster, sender }: QuarantineFilter): Promise<QuarantinePage> {
    const before = cursor === undefined ? null : CURSOR.decode(cursor)[0];
    const { rows } = await this.pool.query<Row>(
      `select ${COLUMNS} from fleet.quarantine
        where ($1::bigint is null or id < $1::bigint) and ($2::text is null or (proven and cluster_id = $2))
          and ($3::boolean is null or proven = $3) order by id desc limit $4`,
      [before, cluster ?? null, sender === undefined ? null : sender === 'proven', limit + 1],
    );
    const page = pageOf(rows, limit, itemOf, (row) => CURSOR.encode([row.id]));
    return { ...page, items: [...page.items] };
  }

  async get(id: string): Promise<QuarantinedView> {
    const { rows } = /^\d{1,18}$/.test(id)
      ? await this.pool.query<FullRow>(
          `select ${COLUMNS}, headers, clear_part, original, value_digest from fleet.quarantine where id = $1`,
          [id],
        )
      : { rows: [] };
    const [row] = rows;
    if (row === undefined) throw notFound(`there is no quarantined message ${id.slice(0, 100)}`);
    return {
      ...itemOf(row),
      headers: row.headers,
      ...(row.clear_part === null ? {} : { clear: row.clear_part }),
      ...(row.original === null ? {} : { original: row.original.toString('base64') }),
      ...(row.value_digest === null ? {} : { digest: row.value_digest.toString('hex') }),
    };
  }
}

function itemOf(row: Row): QuarantineItem {
  return {
    id: row.id,
    topic: row.topic,
    logEpoch: row.log_epoch,
    partition: row.partition,
    offset: row.message_offset,
    key: row.message_key,
    ...(row.cluster_id === null ? {} : { [row.proven ? 'clusterId' : 'claimedClusterId']: row.cluster_id }),
    reason: row.reason,
    bytes: Number(row.bytes),
    seen: Number(row.seen),
    quarantinedAt: row.quarantined_at.toISOString(),
    lastSeenAt: row.last_seen_at.toISOString(),
  };
}

export class ListQuarantine extends Query<QuarantinePage> {
  readonly filter: QuarantineFilter;

  constructor(filter: QuarantineFilter) {
    super();
    this.filter = filter;
  }
}

@QueryHandler(ListQuarantine)
export class ListQuarantineHandler implements IQueryHandler<ListQuarantine> {
  constructor(private readonly reader: QuarantineReader) {}

  execute({ filter }: ListQuarantine): Promise<QuarantinePage> {
    return this.reader.page(filter);
  }
}

export class GetQuarantined extends Query<QuarantinedView> {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

@QueryHandler(GetQuarantined)
export class GetQuarantinedHandler implements IQueryHandler<GetQuarantined> {
  constructor(private readonly reader: QuarantineReader) {}

  execute({ id }: GetQuarantined): Promise<QuarantinedView> {
    return this.reader.get(id);
  }
}
