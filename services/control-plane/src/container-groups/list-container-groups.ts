import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { DataSource, type SelectQueryBuilder } from 'typeorm';
import { z } from 'zod';
import { idPosition, timePosition, PageCursor, pageOf, PageQuery } from '../answers/page.ts';
import { ContainerGroupRecord } from './container-group.entity.ts';
import { containerGroupView, ContainerGroupView, LIVES } from './container-group-view.ts';
import { EventFeed, isFeedCursor } from './event-feed.ts';

/** A cursor of the feed, which a page hands on. */
const feedPosition = z.string().max(200).refine(isFeedCursor);
export const CURSOR = new PageCursor('container-groups', z.tuple([timePosition, idPosition, feedPosition]));

export const ContainerGroupFilter = PageQuery.extend({
  cluster: z.string().max(63).optional(),
  namespace: z.string().max(253).optional(),
  name: z.string().max(253).optional(),
  life: z.enum(LIVES).optional(),
  phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']).optional(),
  zone: z.string().max(64).optional(),
  account: z.string().max(64).optional(),
  region: z.string().max(64).optional(),
  podUid: z.string().max(64).optional(),
  containerGroupId: z.string().max(64).optional(),
  updatedSince: z.iso.datetime({ offset: true }).optional(),
});
export type ContainerGroupFilter = z.infer<typeof ContainerGroupFilter>;

export const ContainerGroupPage = z
  .object({
    items: z.array(ContainerGroupView),
    nextCursor: z.string().optional(),
    /** Pass it to `GET /api/v1/events?after=` to hear of everything that these pages do not show yet. */
    asOf: z.string(),
  })
  .meta({ id: 'ContainerGroupPage' });
export type ContainerGroupPage = z.infer<typeof ContainerGroupPage>;

/** Which container groups are there? Newest first; pages keep their place while groups come and change. */
export class ListContainerGroups extends Query<ContainerGroupPage> {
  readonly filter: ContainerGroupFilter;

  constructor(filter: ContainerGroupFilter) {
    super();
    this.filter = filter;
  }
}

@QueryHandler(ListContainerGroups)
export class ListContainerGroupsHandler implements IQueryHandler<ListContainerGroups> {
  constructor(
    private readonly dataSource: DataSource,
    private readonly feed: EventFeed,
  ) {}

  async execute({ filter }: ListContainerGroups): Promise<ContainerGroupPage> {
    const position = filter.cursor === undefined ? undefined : CURSOR.decode(filter.cursor);
    // Taken before the rows, so that a reader who goes on with the feed hears some things twice rather than miss one.
    const asOf = position === undefined ? await this.feed.projected() : position[2];
    const rows = await listQuery(this.dataSource, filter).getMany();
    const page = pageOf(rows, filter.limit, containerGroupView, (row) =>
      CURSOR.encode([row.requestedAt.getTime(), row.streamId, asOf]),
    );
    return { ...page, items: [...page.items], asOf };
  }
}

/**
 * One page and one row more, in the list's order. Every filter has an index that ends in that order (fleet.container_group_indexes), so that the page is
 * read off the index: the cost does not grow with the table. A spec and a bench look at this very query.
 */
export function listQuery(
  dataSource: DataSource,
  filter: ContainerGroupFilter,
): SelectQueryBuilder<ContainerGroupRecord> {
  const query = dataSource.getRepository(ContainerGroupRecord).createQueryBuilder('g');
  narrow(query, filter);
  if (filter.cursor !== undefined) {
    const [at, id] = CURSOR.decode(filter.cursor);
    query.andWhere('(g.requested_at, g.stream_id) < (:at, :id)', { at: new Date(at), id });
  }
  return query
    .orderBy('g.requestedAt', 'DESC')
    .addOrderBy('g.streamId', 'DESC')
    .limit(filter.limit + 1);
}

function narrow(query: SelectQueryBuilder<ContainerGroupRecord>, filter: ContainerGroupFilter): void {
  const equal = {
    clusterId: filter.cluster,
    namespace: filter.namespace,
    name: filter.name,
    life: filter.life,
    phase: filter.phase,
    zone: filter.zone,
    accountId: filter.account,
    region: filter.region,
    podUid: filter.podUid,
    containerGroupId: filter.containerGroupId,
  };
  for (const [column, value] of Object.entries(equal)) {
    if (value !== undefined) query.andWhere(`g.${column} = :${column}`, { [column]: value });
  }
  if (filter.updatedSince !== undefined)
    query.andWhere('g.updatedAt >= :since', { since: new Date(filter.updatedSince) });
}
