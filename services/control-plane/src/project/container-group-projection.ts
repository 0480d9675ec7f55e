import { In, type EntityManager } from 'typeorm';
import type { EventStore, RecordedEvent } from '#libs/event-store';
import { ContainerGroupRecord } from '../container-groups/container-group.entity.ts';
import { containerGroupRow } from '../container-groups/container-group-row.ts';
import { containerGroupStreams } from '../container-groups/stored-events.ts';

/** Rows of one statement stay far below the 65,535 parameters that PostgreSQL takes. */
const ROWS_PER_STATEMENT = 500;

/**
 * Keeps the read model: each stream of a batch is folded from its beginning and its row written anew, so that a batch that comes twice, or a
 * rebuild from the first event, ends in the same rows. Runs in the transaction that moves the subscription's checkpoint.
 */
export class ContainerGroupProjection {
  private readonly store: EventStore;

  constructor(store: EventStore) {
    this.store = store;
  }

  async apply(events: readonly RecordedEvent[], manager: EntityManager): Promise<void> {
    const streams = containerGroupStreams(events);
    for (let start = 0; start < streams.length; start += ROWS_PER_STATEMENT) {
      await this.write(streams.slice(start, start + ROWS_PER_STATEMENT), manager);
    }
  }

  private async write(streamIds: readonly string[], manager: EntityManager): Promise<void> {
    const loaded = await this.store.loadMany(streamIds);
    const rows = [...loaded.values()].map(containerGroupRow);
    if (rows.length === 0) return;
    const before = await manager.find(ContainerGroupRecord, {
      select: { streamId: true, clusterId: true, life: true, zone: true },
      where: { streamId: In(rows.map((row) => row.streamId)) },
    });
    await manager.upsert(ContainerGroupRecord, rows, ['streamId']);
    await recount(before, rows, manager);
  }
}

type Counted = Pick<ContainerGroupRecord, 'clusterId' | 'life' | 'zone'>;

async function recount(before: readonly Counted[], after: readonly Counted[], manager: EntityManager): Promise<void> {
  const change = new Map<string, { key: readonly [string, string, string]; by: number }>();
  const add = (row: Counted, by: number): void => {
    const key = [row.clusterId, row.life, row.zone ?? ''] as const;
    const text = JSON.stringify(key);
    change.set(text, { key, by: (change.get(text)?.by ?? 0) + by });
  };
  for (const row of before) add(row, -1);
  for (const row of after) add(row, 1);
  const changed = [...change.values()].filter(({ by }) => by !== 0);
  if (changed.length === 0) return;
  const columns = [0, 1, 2].map((i) => changed.map(({ key }) => key[i]));
  await manager.query(
    `insert into fleet.container_group_count as c (cluster_id, life, zone, groups)
     select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
     on conflict (cluster_id, life, zone) do update set groups = c.groups + excluded.groups`,
    [...columns, changed.map(({ by }) => by)],
  );
  // A count of none is no row, as after a rebuild.
  await manager.query('delete from fleet.container_group_count where groups = 0 and cluster_id = any ($1)', [
    [...new Set(columns[0])],
  ]);
}
