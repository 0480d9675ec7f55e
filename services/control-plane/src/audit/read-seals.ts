import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import type pg from 'pg';
import { z } from 'zod';
import { bigintPosition, PageCursor, pageOf, PageQuery } from '../answers/page.ts';
import { notFound } from '../answers/refusal.ts';
import type { NamedAuditKey } from './audit-key.ts';
import { inclusionProof } from './merkle.ts';
import { entryText, leavesOf } from './seal.ts';
import { SealView, sealView } from './seal-message.ts';
import { entriesOf, SEAL_COLUMNS, sealOf, type SealRow } from './seal-store.ts';
import { keysInPostgres } from './verify/postgres-history.ts';

const CURSOR = new PageCursor('seals', z.tuple([bigintPosition]));

export const SealsQuery = PageQuery;
export type SealsQuery = z.infer<typeof SealsQuery>;

export const SealsPage = z
  .object({ items: z.array(SealView), nextCursor: z.string().optional() })
  .meta({ id: 'SealsPage' });
export type SealsPage = z.infer<typeof SealsPage>;

export const ProofQuery = z.strictObject({ eventId: z.uuid() });
export type ProofQuery = z.infer<typeof ProofQuery>;

export const InclusionProof = z
  .object({
    seal: SealView,
    /** Place of the event in the batch, from 0; `seal.events` is the number of leaves. */
    index: z.number().int(),
    /** What the leaf is made of: JSON [stream, version, type, recorded at, digest]. */
    entry: z.string(),
    /** SHA-256, hex: 0x00, the index as eight bytes (big-endian), the bytes of `entry`. */
    leaf: z.string(),
    /** Siblings from the leaf upwards, hex; a node is SHA-256 over 0x01, left, right (tree of RFC 6962). */
    path: z.array(z.string()),
  })
  .meta({ id: 'InclusionProof' });
export type InclusionProof = z.infer<typeof InclusionProof>;

export const AuditKeys = z
  .object({
    keys: z.array(
      z.object({
        kty: z.string(),
        crv: z.string(),
        x: z.string(),
        kid: z.string(),
        alg: z.string(),
        use: z.string(),
      }),
    ),
  })
  .meta({ id: 'AuditKeys' });
export type AuditKeys = z.infer<typeof AuditKeys>;

/** Reads seals for people. It proves nothing by itself: what it answers is checked elsewhere, with keys kept elsewhere. */
export class SealReader {
  private readonly pool: pg.Pool;
  private readonly inUse: NamedAuditKey | undefined;

  constructor(parts: { readonly pool: pg.Pool; readonly key: NamedAuditKey | undefined }) {
    this.pool = parts.pool;
    this.inUse = parts.key;
  }

  /** Newest first. */
  async page({ limit, cursor }: SealsQuery): Promise<SealsPage> {
    const before = cursor === undefined ? null : CURSOR.decode(cursor)[0];
    const { rows } = await this.pool.query<SealRow>(
      `select ${SEAL_COLUMNS} from es.seal s where $1::bigint is null or s.sequence < $1::bigint order by s.sequence desc limit $2`,
      [before, limit + 1],
    );
    const page = pageOf(
      rows,
      limit,
      (row) => sealView(sealOf(row)),
      (row) => CURSOR.encode([String(row.sequence)]),
    );
    return { ...page, items: [...page.items] };
  }

  async get(sequence: string): Promise<SealView> {
    return sealView(sealOf(await this.row(sequence)));
  }

  /** Why an event is under this seal, for anybody to check without us. */
  async proof(sequence: string, eventId: string): Promise<InclusionProof> {
    const row = await this.row(sequence);
    const seal = sealOf(row);
    const { rows } = await this.pool.query<{ stream_id: string; version: string }>(
      `select e.stream_id, e.version from es.event e
        where (e.transaction_id, e.position) > ($1::xid8, $2::bigint) and (e.transaction_id, e.position) <= ($3::xid8, $4::bigint)
          and e.event_id = $5`,
      [seal.from.transactionId, seal.from.position, seal.through.transactionId, seal.through.position, eventId],
    );
    const [event] = rows;
    const entries = entriesOf(row.entries);
    const index = entries.findIndex((e) => e.streamId === event?.stream_id && e.version === Number(event.version));
    const entry = entries[index];
    if (!entry)
      throw notFound(
        `seal ${sequence} covers no event ${eventId}; an event's own cursor lies in the stretch of its seal`,
      );
    const leaves = leavesOf(entries);
    return {
      seal: sealView(seal),
      index,
      entry: entryText(entry),
      leaf: leaves[index]!.toString('hex'),
      path: inclusionProof(leaves, index).map((hash) => hash.toString('hex')),
    };
  }

  async keys(): Promise<AuditKeys> {
    const known = await keysInPostgres(this.pool);
    return {
      keys: [...new Map([...known, ...(this.inUse ? [this.inUse] : [])].map((key) => [key.kid, key])).values()],
    };
  }

  private async row(sequence: string): Promise<SealRow & { readonly entries: string }> {
    const { rows } = /^[1-9]\d{0,15}$/.test(sequence)
      ? await this.pool.query<SealRow & { readonly entries: string }>(
          `select ${SEAL_COLUMNS}, s.entries from es.seal s where s.sequence = $1`,
          [sequence],
        )
      : { rows: [] };
    const [row] = rows;
    if (!row) throw notFound(`there is no seal ${sequence.slice(0, 100)}`);
    return row;
  }
}

/** Which seals are there? */
export class ListSeals extends Query<SealsPage> {
  readonly page: SealsQuery;

  constructor(page: SealsQuery) {
    super();
    this.page = page;
  }
}

@QueryHandler(ListSeals)
class ListSealsHandler implements IQueryHandler<ListSeals> {
  constructor(private readonly reader: SealReader) {}

  execute({ page }: ListSeals): Promise<SealsPage> {
    return this.reader.page(page);
  }
}

export class GetSeal extends Query<SealView> {
  readonly sequence: string;

  constructor(sequence: string) {
    super();
    this.sequence = sequence;
  }
}

@QueryHandler(GetSeal)
class GetSealHandler implements IQueryHandler<GetSeal> {
  constructor(private readonly reader: SealReader) {}

  execute({ sequence }: GetSeal): Promise<SealView> {
    return this.reader.get(sequence);
  }
}

/** How can somebody be shown that this event was sealed? */
export class ProveEvent extends Query<InclusionProof> {
  readonly sequence: string;
  readonly eventId: string;

  constructor(sequence: string, eventId: string) {
    super();
    this.sequence = sequence;
    this.eventId = eventId;
  }
}

@QueryHandler(ProveEvent)
class ProveEventHandler implements IQueryHandler<ProveEvent> {
  constructor(private readonly reader: SealReader) {}

  execute({ sequence, eventId }: ProveEvent): Promise<InclusionProof> {
    return this.reader.proof(sequence, eventId);
  }
}

/** Which public keys have signed? */
export class ListAuditKeys extends Query<AuditKeys> {}

@QueryHandler(ListAuditKeys)
class ListAuditKeysHandler implements IQueryHandler<ListAuditKeys> {
  constructor(private readonly reader: SealReader) {}

  execute(): Promise<AuditKeys> {
    return this.reader.keys();
  }
}

export const SEAL_HANDLERS = [ListSealsHandler, GetSealHandler, ProveEventHandler, ListAuditKeysHandler];
