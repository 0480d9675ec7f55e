import pg from 'pg';
import { BEGINNING, encodeCursor } from '#libs/event-store';
import { bareCursor } from '../../services/control-plane/spec/http/odd-requests.ts';
import { cursorKey, signCursor } from '../../services/control-plane/src/http/signed-cursors.ts';
import { MasterKey } from '../../services/control-plane/src/keys/master-key.ts';
import { atMost, milliseconds, percentile, ratio, seconds, type Figure } from './figures.ts';
import { startRig, type Undo } from './rig.ts';
import { storeRows } from './stored-rows.ts';

const AIM_MS = 100;
const PAGES = 200;

/** Pages of the list of container groups as the API answers them, at ten million rows; baseline: one row by its primary key, in SQL. */
export async function list(undo: Undo, rows: number, profile: string | undefined): Promise<readonly Figure[]> {
  const rig = await startRig(undo, profile);
  const { url } = await rig.controlPlane({ roles: 'api' });
  const admin = new pg.Pool({ connectionString: rig.databaseUrl, max: 1 });
  undo.add(() => admin.end());
  const began = performance.now();
  await storeRows(admin, rows);
  const made = performance.now() - began;

  const key = cursorKey(new MasterKey(rig.masterKey));
  /** The same page of the list, begun anywhere in it. */
  const anywhere = (filter: Record<string, string>): Record<string, string> => {
    const time = Date.parse('2026-01-01T00:00:00Z') + Math.floor(rows * Math.random()) * 1_500;
    const cursor = bareCursor(['container-groups', time, 'container_group:c0', encodeCursor(BEGINNING)]);
    const scope = { route: '/api/v1/container-groups', params: {}, filter };
    return { ...filter, cursor: signCursor(key, scope, cursor) };
  };
  const newest = new Date(Date.parse('2026-01-01T00:00:00Z') + (rows - 500) * 1_500).toISOString();
  const random = (most: number): number => Math.floor(Math.random() * most);
  const queries: Readonly<Record<string, () => Record<string, string>>> = {
    'first page': () => ({}),
    'a page anywhere': () => anywhere({}),
    cluster: () => ({ cluster: `c${random(50)}` }),
    'cluster, anywhere': () => anywhere({ cluster: `c${random(50)}` }),
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
    'cluster and phase, anywhere': () => anywhere({ cluster: `c${random(50)}`, phase: 'Failed' }),
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
    admin.query('select * from fleet.container_group where stream_id = $1', [ids[index % ids.length]?.stream_id ?? '']),
  );
  const figures: Figure[] = [
    { what: `${rows} rows made by SQL, with their indexes`, value: seconds(made) },
    {
      what: 'baseline: one row by its primary key, p50 / p95',
      value: `${milliseconds(percentile(one, 0.5))} / ${milliseconds(percentile(one, 0.95))}`,
    },
  ];
  // A control plane that was just started compiles its own code first.
  for (let index = 0; index < 50; index++) await page(url, {});
  for (const [what, filter] of Object.entries(queries)) {
    const samples = await took(() => page(url, filter()));
    const p95 = percentile(samples, 0.95);
    figures.push({
      what,
      value: `p50 ${milliseconds(percentile(samples, 0.5))}, p95 ${milliseconds(p95)}, ${ratio(percentile(samples, 0.5) / percentile(one, 0.5))} the baseline`,
      aim: atMost(AIM_MS, p95, milliseconds),
    });
  }
  return figures;
}

async function page(url: string, filter: Readonly<Record<string, string>>): Promise<void> {
  const query = new URLSearchParams({ limit: '50', ...filter });
  const answer = await fetch(`${url}/api/v1/container-groups?${query.toString()}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`a page of the list: ${answer.status} ${text.slice(0, 300)}`);
}
