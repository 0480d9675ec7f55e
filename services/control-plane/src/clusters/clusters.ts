import { CommandHandler, Query, QueryHandler, type ICommandHandler, type IQueryHandler } from '@nestjs/cqrs';
import type pg from 'pg';
import { z } from 'zod';
import type { Clock } from '#libs/runtime';
import { idPosition, PageCursor, pageOf, PageQuery } from '../answers/page.ts';
import { notFound } from '../answers/refusal.ts';
import { ActingCommand } from '../operators/acting-command.ts';
import type { Acting } from '../operators/acting.ts';
import { WITH_HOLDS, type ClusterRow } from './cluster-row.ts';
import { clusterView, ClusterView, type RegisteredCluster } from './cluster-view.ts';
import { ClusterRegistration, type JoinToken, type RegisterClusterBody } from './registration.ts';

const CURSOR = new PageCursor('clusters', z.tuple([idPosition]));

export const ClusterFilter = PageQuery.extend({
  account: z.string().max(64).optional(),
  /** Also those that were unregistered. */
  unregistered: z.enum(['true', 'false']).default('false'),
});
export type ClusterFilter = z.infer<typeof ClusterFilter>;

export const ClusterPage = z
  .object({ items: z.array(ClusterView), nextCursor: z.string().optional() })
  .meta({ id: 'ClusterPage' });
export type ClusterPage = z.infer<typeof ClusterPage>;

/** Reads clusters for people. */
export class ClusterReader {
  private readonly pool: pg.Pool;
  private readonly clock: Clock;

  constructor(parts: { readonly pool: pg.Pool; readonly clock: Clock }) {
    this.pool = parts.pool;
    this.clock = parts.clock;
  }

  async page({ limit, cursor, account, unregistered }: ClusterFilter): Promise<ClusterPage> {
    const after = cursor === undefined ? '' : CURSOR.decode(cursor)[0];
    const { rows } = await this.pool.query<ClusterRow>(
      `select * from fleet.cluster c ${WITH_HOLDS}
        where id > $1 and ($2::text is null or account_id = $2) and ($3 or unregistered_at is null) order by id limit $4`,
      [after, account ?? null, unregistered === 'true', limit + 1],
    );
    const page = pageOf(
      rows,
      limit,
      (row) => this.view(row),
      (row) => CURSOR.encode([row.id]),
    );
    return { ...page, items: [...page.items] };
  }

  async get(id: string): Promise<ClusterView> {
    const { rows } = await this.pool.query<ClusterRow>(`select * from fleet.cluster c ${WITH_HOLDS} where id = $1`, [
      id,
    ]);
    if (rows[0] === undefined) throw notFound(`there is no cluster ${id.slice(0, 100)}`);
    return this.view(rows[0]);
  }

  view(row: ClusterRow): ClusterView {
    return clusterView(row, this.clock.now());
  }
}

export class ListClusters extends Query<ClusterPage> {
  readonly filter: ClusterFilter;

  constructor(filter: ClusterFilter) {
    super();
    this.filter = filter;
  }
}

@QueryHandler(ListClusters)
export class ListClustersHandler implements IQueryHandler<ListClusters> {
  constructor(private readonly reader: ClusterReader) {}

  execute({ filter }: ListClusters): Promise<ClusterPage> {
    return this.reader.page(filter);
  }
}

export class GetCluster extends Query<ClusterView> {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

@QueryHandler(GetCluster)
export class GetClusterHandler implements IQueryHandler<GetCluster> {
  constructor(private readonly reader: ClusterReader) {}

  execute({ id }: GetCluster): Promise<ClusterView> {
    return this.reader.get(id);
  }
}

export class RegisterCluster extends ActingCommand<RegisteredCluster> {
  readonly body: RegisterClusterBody;

  constructor(body: RegisterClusterBody, by: Acting) {
    super(by);
    this.body = body;
  }
}

@CommandHandler(RegisterCluster)
export class RegisterClusterHandler implements ICommandHandler<RegisterCluster> {
  constructor(
    private readonly registration: ClusterRegistration,
    private readonly reader: ClusterReader,
  ) {}

  async execute({ body, by }: RegisterCluster): Promise<RegisteredCluster> {
    const { row, joinToken } = await this.registration.register(body, by);
    return { cluster: this.reader.view(row), joinToken };
  }
}

export class IssueJoinToken extends ActingCommand<JoinToken> {
  readonly clusterId: string;

  constructor(clusterId: string, by: Acting) {
    super(by);
    this.clusterId = clusterId;
  }
}

@CommandHandler(IssueJoinToken)
export class IssueJoinTokenHandler implements ICommandHandler<IssueJoinToken> {
  constructor(private readonly registration: ClusterRegistration) {}

  execute({ clusterId, by }: IssueJoinToken): Promise<JoinToken> {
    return this.registration.newToken(clusterId, by);
  }
}

/** What ends an agent, decided on a cluster as somebody saw it. */
abstract class ClusterDecision<Result> extends ActingCommand<Result> {
  readonly clusterId: string;
  /** Entity tag of the cluster as it was looked at. */
  readonly stated: string;

  constructor(clusterId: string, stated: string, by: Acting) {
    super(by);
    this.clusterId = clusterId;
    this.stated = stated;
  }
}

export class RotateAgentKey extends ClusterDecision<JoinToken> {}

@CommandHandler(RotateAgentKey)
export class RotateAgentKeyHandler implements ICommandHandler<RotateAgentKey> {
  constructor(private readonly registration: ClusterRegistration) {}

  execute({ clusterId, stated, by }: RotateAgentKey): Promise<JoinToken> {
    return this.registration.rotate(clusterId, stated, by);
  }
}

export class UnregisterCluster extends ClusterDecision<void> {}

@CommandHandler(UnregisterCluster)
export class UnregisterClusterHandler implements ICommandHandler<UnregisterCluster> {
  constructor(private readonly registration: ClusterRegistration) {}

  execute({ clusterId, stated, by }: UnregisterCluster): Promise<void> {
    return this.registration.unregister(clusterId, stated, by);
  }
}
