import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { z } from 'zod';
import { EventFeed } from './event-feed.ts';
import { EventView, eventView, feedData } from './event-view.ts';

const counts = z.record(z.string(), z.number().int());

export const Overview = z
  .object({
    total: z.number().int(),
    byLife: counts,
    /** Where groups that exist now have landed: those that start, run or are being deleted. */
    byZone: counts,
    byCluster: z.array(z.object({ clusterId: z.string(), name: z.string(), byLife: counts })),
    /** Newest first. */
    lastEvents: z.array(EventView),
    /** Cursor of the feed behind what is counted here. */
    asOf: z.string(),
  })
  .meta({ id: 'Overview' });
export type Overview = z.infer<typeof Overview>;

const PRESENT = new Set(['starting', 'running', 'deleting']);

/** How is the fleet as a whole? */
export class GetOverview extends Query<Overview> {}

@QueryHandler(GetOverview)
export class GetOverviewHandler implements IQueryHandler<GetOverview> {
  constructor(
    private readonly dataSource: DataSource,
    private readonly feed: EventFeed,
  ) {}

  async execute(): Promise<Overview> {
    const asOf = await this.feed.projected();
    const [rows, clusters, lastEvents] = await Promise.all([
      this.dataSource.query<{ cluster_id: string; life: string; zone: string; groups: string }[]>(
        'select cluster_id, life, zone, groups from fleet.container_group_count',
      ),
      this.dataSource.query<{ id: string; name: string }[]>(
        'select id, name from fleet.cluster where unregistered_at is null order by id',
      ),
      this.feed.newest(20),
    ]);
    const byLife: Record<string, number> = {};
    const byZone: Record<string, number> = {};
    const byCluster = new Map(
      clusters.map(({ id, name }) => [id, { clusterId: id, name, byLife: {} as Record<string, number> }]),
    );
    let total = 0;
    for (const row of rows) {
      const groups = Number(row.groups);
      total += groups;
      byLife[row.life] = (byLife[row.life] ?? 0) + groups;
      if (row.zone !== '' && PRESENT.has(row.life)) byZone[row.zone] = (byZone[row.zone] ?? 0) + groups;
      // Groups of a cluster that was unregistered are still there, and still cost.
      const cluster = byCluster.get(row.cluster_id) ?? { clusterId: row.cluster_id, name: row.cluster_id, byLife: {} };
      cluster.byLife[row.life] = (cluster.byLife[row.life] ?? 0) + groups;
      byCluster.set(row.cluster_id, cluster);
    }
    return {
      total,
      byLife,
      byZone,
      byCluster: [...byCluster.values()],
      lastEvents: lastEvents.map((event) => eventView(event, feedData(event))),
      asOf,
    };
  }
}
