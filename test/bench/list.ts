import pg from 'pg';
import { createDatabase, migrate, startPostgres } from '#libs/testing';
import {
  ContainerGroupFilter,
  listQuery,
} from '../../services/control-plane/src/container-groups/list-container-groups.ts';
import { encodePageCursor } from '../../services/control-plane/src/http/page.ts';
import { readModelDataSource } from '../../services/control-plane/src/data-source.ts';
import { atMost, milliseconds, percentile, ratio, seconds, type Figure } from './figures.ts';
import type { Undo } from './rig.ts';
import { storeRows } from './stored-rows.ts';

const AIM_MS = 100;
const PAGES = 200;

/** Pages of the list of container groups at ten million rows, with the query of the API; baseline: one row by its primary key. */
export async function list(undo: Undo, rows: number): Promise<readonly Figure[]> {
  const postgres = await startPostgres({
    settings: { shared_buffers: '1GB', maintenance_work_mem: '512MB', max_wal_size: '8GB' },
  });
  undo.add(() => postgres.stop());
  const { url } = await createDatabase(postgres.url, { name: 'bench_list' });
  await migrate(url);
  const admin = new pg.Pool({ connectionString: url, max: 1 });
  undo.add(() => admin.end());
  const began = performance.now();
  await storeRows(admin, rows);
  const made = performance.now() - began;
  const dataSource = await readModelDataSource(url, 2).initialize();
  undo.add(() => dataSource.destroy());

  const at = (share: number): string => {
    const time = Date.parse('2026-01-01T00:00:00Z') + Math.floor(rows * share) * 1_500;
    return encodePageCursor('container-groups', [time, 'container_group:c0', '']);
  };
  const newest = new Date(Date.parse('2026-01-01T00:00:00Z') + (rows - 500) * 1_500).toISOString();
  const random = (most: number): number => Math.floor(Math.random() * most);
  const queries: Readonly<Record<string, () => Record<string, string>>> = {
    'first page': () => ({}),
    'a page anywhere': () => ({ cursor: at(Math.random()) }),
    cluster: () => ({ cluster: `c${random(50)}` }),
    'cluster, anywhere': () => ({ cluster: `c${random(50)}`, cursor: at(Math.random()) }),
    'cluster and life': () => ({ cluster: `c${random(50)}`, life: 'failed' }),
    namespace: () => ({ namespace: `team-${random(20)}` }),
    name: () => ({ name: `web-${random(100_000)}` }),
    'namespace and name': () => ({ namespace: `team-${random(20)}`, name: `web-${random(100_000)}` }),
    life: () => ({ life: 'parked' }),
    phase: () => ({ phase: 'Failed' }),
    zone: () => ({ zone: `zone-${random(8)}` }),
    account: () => ({ account: `account-${random(3)}` }),
    'account that has none': () => ({ account: 'account-9' }),
    region: () => ({ region: 'cn-shanghai' }),
    'cluster and phase, anywhere': () => ({ cluster: `c${random(50)}`, phase: 'Failed', cursor: at(Math.random()) }),
    'updated lately': () => ({ updatedSince: newest }),
    'pod UID': () => ({ podUid: crypto.randomUUID() }),
  };
  const took = async (work: (index: number) => Promise<unknown>): Promise<readonly number[]> => {
    const samples: number[] = [];
    for (let index = 0; index < PAGES; index++) {
      const start = performance.now();
      await work(index);
      samples.push(performance.now() - start);
    }
    return samples;
  };
  const { rows: ids } = await admin.query<{ stream_id: string }>(
    `select stream_id from fleet.container_group tablesample system (1) limit ${PAGES}`,
  );
  const one = await took((index) =>
    dataSource.query('select * from fleet.container_group where stream_id = $1', [
      ids[index % ids.length]?.stream_id ?? '',
    ]),
  );
  const figures: Figure[] = [
    { what: `${rows} rows made by SQL, with their indexes`, value: seconds(made) },
    {
      what: 'baseline: one row by its primary key, p50 / p95',
      value: `${milliseconds(percentile(one, 0.5))} / ${milliseconds(percentile(one, 0.95))}`,
    },
  ];
  for (const [what, filter] of Object.entries(queries)) {
    const samples = await took(() =>
      listQuery(dataSource, ContainerGroupFilter.parse({ limit: 50, ...filter() })).getMany(),
    );
    const p95 = percentile(samples, 0.95);
    figures.push({
      what,
      value: `p50 ${milliseconds(percentile(samples, 0.5))}, p95 ${milliseconds(p95)}, ${ratio(percentile(samples, 0.5) / percentile(one, 0.5))} the baseline`,
      aim: atMost(AIM_MS, p95, milliseconds),
    });
  }
  return figures;
}
