import type { Pool } from 'pg';
import { z } from 'zod';
import { hourlyCost, type ListPrice, type OrphanId } from '#libs/domain';
import { idPosition, PageCursor, pageOf } from '../answers/page.ts';
import { entityTag } from '../answers/entity-tag.ts';
import { invalid, notFound } from '../answers/refusal.ts';
import type { OrphanFilter, OrphanPage, OrphanView, OrphanViewState } from './orphan-view.ts';

const CURSOR = new PageCursor('orphans', z.tuple([idPosition]));
const OPEN: readonly OrphanViewState[] = ['young', 'quarantined', 'kept', 'removing'];

interface Row {
  readonly key: string;
  readonly account_id: string;
  readonly region: string;
  readonly container_group_id: string;
  readonly state: OrphanViewState;
  readonly status: string;
  readonly why: string;
  readonly cluster_id: string | null;
  readonly pod_uid: string | null;
  readonly attempt: number | null;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly spec: string | null;
  readonly cpu: number | null;
  readonly memory_gib: number | null;
  readonly created_at: Date | null;
  readonly age_seconds: number | null;
  readonly found_at: Date;
  readonly last_seen_at: Date | null;
  readonly decided_at: Date | null;
  readonly decided_by: string | null;
  readonly decided_reason: string | null;
  readonly delete_accepted_at: Date | null;
  readonly ended_at: Date | null;
  readonly ended_how: string | null;
}

/** Cases as their streams tell them, and young strangers, which have no stream yet. */
const ALL = `
  select c.stream_id as key, c.account_id, c.region, c.container_group_id, c.phase as state, coalesce(o.status, c.facts ->> 'status') as status, c.why,
         c.facts ->> 'clusterId' as cluster_id, c.facts ->> 'podUid' as pod_uid, (c.facts ->> 'attempt')::integer as attempt,
         c.facts ->> 'namespace' as namespace, c.facts ->> 'name' as name, c.facts ->> 'spec' as spec,
         (c.facts ->> 'cpu')::float8 as cpu, (c.facts ->> 'memoryGiB')::float8 as memory_gib,
         (c.facts ->> 'createdAt')::timestamptz as created_at, c.quarantined_at as found_at, o.last_seen_at,
         c.decided_at, c.decided_by, c.decided_reason, c.delete_accepted_at, c.ended_at, c.ended_how
    from fleet.orphan_case c
    left join fleet.orphan o using (account_id, region, container_group_id)
  union all
  select 'orphan:' || o.account_id || '/' || o.region || '/' || o.container_group_id || '#young', o.account_id, o.region, o.container_group_id, 'young',
         o.status, 'it carries our tag, and no stream knows it so far', o.cluster_id, o.pod_uid, o.attempt, o.namespace, o.name, o.spec, o.cpu,
         o.memory_gib, o.created_at, o.first_seen_at, o.last_seen_at, null, null, null, null, null, null
    from fleet.orphan o
   where not exists (select 1 from fleet.orphan_case c
                      where (c.account_id, c.region, c.container_group_id) = (o.account_id, o.region, o.container_group_id) and c.ended_at is null)`;

/** Reads orphans for people. */
export class OrphanReader {
  private readonly pool: Pool;
  private readonly prices: readonly ListPrice[];

  constructor(parts: { readonly pool: Pool; readonly prices: readonly ListPrice[] }) {
    this.pool = parts.pool;
    this.prices = parts.prices;
  }

  async page({ limit, cursor, account, region, state }: OrphanFilter): Promise<OrphanPage> {
    const after = cursor === undefined ? null : CURSOR.decode(cursor)[0];
    const { rows } = await this.pool.query<Row>(
      `select a.*, floor(extract(epoch from (select es.now()) - a.created_at))::float8 as age_seconds from (${ALL}) a
        where ($1::text is null or a.key collate "C" > $1) and ($2::text is null or a.account_id = $2) and ($3::text is null or a.region = $3)
          and a.state = any ($4)
        order by a.key collate "C" limit $5`,
      [after, account ?? null, region ?? null, state === undefined ? OPEN : [state], limit + 1],
    );
    const page = pageOf(
      rows,
      limit,
      (row) => this.view(row),
      (row) => CURSOR.encode([row.key]),
    );
    return { ...page, items: [...page.items] };
  }

  /** Every orphan of the filter. */
  async all(filter: Omit<OrphanFilter, 'limit' | 'cursor'>): Promise<readonly OrphanView[]> {
    const all: OrphanView[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.page({ ...filter, limit: 200, ...(cursor === undefined ? {} : { cursor }) });
      all.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    return all;
  }

  /** By `<account>/<region>/<containerGroupId>` or by the id that ECI gave the group. */
  async get(id: string): Promise<OrphanView> {
    const parts = id.split('/');
    if (parts.length !== 1 && parts.length !== 3)
      throw invalid([
        { parameter: 'id', detail: 'is <account>/<region>/<container group id> (URL-encoded), or the id of the group' },
      ]);
    const [account, region] = parts.length === 3 ? parts : [null, null];
    const { rows } = await this.pool.query<Row>(
      `select a.*, floor(extract(epoch from (select es.now()) - a.created_at))::float8 as age_seconds from (${ALL}) a
        where a.container_group_id = $1 and ($2::text is null or (a.account_id = $2 and a.region = $3))
        order by a.ended_at desc nulls first limit 1`,
      [parts.at(-1), account, region],
    );
    if (rows[0] === undefined) throw notFound(`there is no orphan ${id.slice(0, 200)}`);
    return this.view(rows[0]);
  }

  private view(row: Row): OrphanView {
    const { account_id: accountId, region, container_group_id: containerGroupId } = row;
    const size = filled({ spec: row.spec, cpu: row.cpu, memoryGiB: row.memory_gib });
    const view: Omit<OrphanView, 'etag'> = {
      id: idText({ accountId, region, containerGroupId }),
      accountId,
      region,
      containerGroupId,
      state: row.state,
      status: row.status,
      why: row.why,
      tags: filled({
        clusterId: row.cluster_id,
        podUid: row.pod_uid,
        attempt: row.attempt,
        namespace: row.namespace,
        name: row.name,
      }),
      ...filled({ createdAt: iso(row.created_at), ageSeconds: row.age_seconds, lastSeenAt: iso(row.last_seen_at) }),
      foundAt: row.found_at.toISOString(),
      size,
      cost: hourlyCost(size, region, this.prices),
      ...(row.decided_at === null || row.decided_by === null
        ? {}
        : {
            decision: {
              at: row.decided_at.toISOString(),
              by: row.decided_by,
              ...filled({ reason: row.decided_reason }),
            },
          }),
      ...filled({ deleteAcceptedAt: iso(row.delete_accepted_at) }),
      ...(row.ended_at === null ? {} : { ended: { at: row.ended_at.toISOString(), how: row.ended_how ?? '' } }),
    };
    const { id, state, status, why, tags, createdAt, foundAt, decision, ended } = view;
    // Not its age, and not when it was seen last: they change by themselves.
    return { ...view, etag: entityTag([id, state, status, why, tags, createdAt, foundAt, size, decision, ended]) };
  }
}

const idText = ({ accountId, region, containerGroupId }: OrphanId): string =>
  `${accountId}/${region}/${containerGroupId}`;

const iso = (at: Date | null): string | null => at && at.toISOString();

function filled<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}
