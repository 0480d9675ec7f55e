import pg from 'pg';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BEGINNING, encodeCursor } from '#libs/event-store';
import { createTestDatabase, type TestDatabase } from '#libs/testing';
import { readModelDataSource } from '../data-source.ts';
import { ContainerGroupFilter, CURSOR, listQuery } from './list-container-groups.ts';

const ROWS = 20_000;

let database: TestDatabase;
let dataSource: DataSource;
let admin: pg.Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = new pg.Pool({ connectionString: database.url, max: 1 });
  await admin.query(
    `insert into fleet.container_group
       (stream_id, stream_version, cluster_id, namespace, name, pod_uid, life, phase, closed, pod_object_gone, container_group_id, account_id, region,
        zone, attempts, images, requested_at, ended_group_seconds, last_event_type, updated_at)
     select 'container_group:c' || i % 4 || ':u' || i, 8, 'c' || i % 4, 'team-' || i % 20, 'web-' || i % 100, 'u' || i,
            case i % 10 when 3 then 'parked' else 'running' end, case i % 10 when 3 then 'Pending' else 'Running' end, false, false, 'eci-' || i,
            'account-' || i % 3, 'region-' || i % 3, 'zone-' || i % 40, 1, '{}', timestamptz '2026-01-01' + i * interval '1 second', 0,
            'ContainersChanged', timestamptz '2026-01-01' + i * interval '1 second'
       from generate_series(1, $1) i`,
    [ROWS],
  );
  await admin.query('vacuum analyze fleet.container_group');
  dataSource = await readModelDataSource(database.url, 2).initialize();
});

afterAll(async () => {
  await dataSource?.destroy();
  await admin?.end();
  await database?.drop();
});

interface Plan {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly Plans?: readonly Plan[];
}

async function planOf(query: Record<string, unknown>): Promise<readonly Plan[]> {
  const [sql, parameters] = listQuery(dataSource, ContainerGroupFilter.parse(query)).getQueryAndParameters();
  const [row] = await dataSource.query<{ 'QUERY PLAN': [{ Plan: Plan }] }[]>(
    `explain (format json) ${sql}`,
    parameters,
  );
  const nodes: Plan[] = [];
  const walk = (plan: Plan): void => {
    nodes.push(plan);
    plan.Plans?.forEach(walk);
  };
  walk(row!['QUERY PLAN'][0].Plan);
  return nodes;
}

const cursor = CURSOR.encode([Date.parse('2026-01-01T01:00:00Z'), 'container_group:c1:u1', encodeCursor(BEGINNING)]);

describe('a page of the list', () => {
  it.each<[Record<string, unknown>, string]>([
    [{}, 'container_group_in_order'],
    [{ cursor }, 'container_group_in_order'],
    [{ cluster: 'c1' }, 'container_group_of_cluster_in_order'],
    [{ cluster: 'c1', life: 'parked' }, 'container_group_of_cluster_and_life_in_order'],
    [{ namespace: 'team-1', cursor }, 'container_group_of_namespace_in_order'],
    [{ name: 'web-1' }, 'container_group_of_name_in_order'],
    [{ life: 'parked' }, 'container_group_of_life_in_order'],
    [{ phase: 'Pending', cursor }, 'container_group_of_phase_in_order'],
    [{ zone: 'zone-1' }, 'container_group_of_zone_in_order'],
    [{ account: 'nobody' }, 'container_group_of_account_in_order'],
    [{ region: 'nowhere' }, 'container_group_of_region_in_order'],
  ])('with %o is read off %s, without a sort', async (query, index) => {
    const nodes = await planOf(query);
    const kinds = nodes.map((node) => node['Node Type']);
    expect(kinds).toEqual(['Limit', 'Index Scan']);
    expect(nodes.at(-1)?.['Index Name']).toBe(index);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ podUid: 'u7' }, 'container_group_by_pod'],
    [{ containerGroupId: 'eci-7' }, 'container_group_by_group'],
    [{ updatedSince: '2026-01-01T05:33:00Z' }, 'container_group_by_update'],
  ])('with %o takes the few rows of %s', async (query, index) => {
    const nodes = await planOf(query);
    expect(nodes.map((node) => node['Index Name'])).toContain(index);
    expect(nodes.map((node) => node['Node Type'])).not.toContain('Seq Scan');
  });

  it('never reads the whole table, whatever two filters are put together', async () => {
    const filters = {
      cluster: 'c1',
      namespace: 'team-1',
      life: 'running',
      phase: 'Running',
      zone: 'zone-1',
      account: 'account-1',
    };
    const names = Object.keys(filters) as (keyof typeof filters)[];
    for (const a of names) {
      for (const b of names.filter((name) => name > a)) {
        const nodes = await planOf({ [a]: filters[a], [b]: filters[b] });
        expect(
          nodes.map((node) => node['Node Type']),
          `${a} and ${b}`,
        ).not.toContain('Seq Scan');
      }
    }
  });
});
