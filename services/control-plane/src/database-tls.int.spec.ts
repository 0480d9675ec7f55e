import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, eventually, newTls, startPostgres, type PostgresRig } from '#libs/testing';
import { startControlPlane } from './control-plane.ts';
import { newMessaging, testConfig } from '../spec/for-specs.ts';
import { PROVEN_SPEAKER } from './keys/status-keys.ts';

let server: PostgresRig;
let database: Awaited<ReturnType<typeof createDatabase>>;
let caFile: string;

beforeAll(async () => {
  const tls = await newTls();
  caFile = tls.caFile;
  server = await startPostgres({ tls: tls.tls });
  database = await createDatabase(server.url);
});
afterAll(() => server?.stop());

interface Connection {
  readonly application: string;
  readonly ssl: boolean;
}

const APPLICATIONS = ['eci-fleet', 'eci-fleet migrate', 'eci-fleet read-model', PROVEN_SPEAKER];

it('speaks TLS on every connection to PostgreSQL, those of migrations, lists and wake-ups too', async () => {
  // given a control plane with a CA, on a server that would be spoken to in clear as well
  const messaging = newMessaging();
  const admin = new pg.Client({ connectionString: database.url, application_name: 'admin' });
  await admin.connect();
  const seen = new Map<string, Connection>();
  const look = async (): Promise<void> => {
    const { rows } = await admin.query<Connection>(
      `select distinct application_name as application, ssl from pg_stat_activity join pg_stat_ssl using (pid)
       where datname = current_database() and backend_type = 'client backend' and application_name <> 'admin'`,
    );
    for (const row of rows) seen.set(`${row.application} ${row.ssl}`, row);
  };
  let started = false;
  const watching = (async () => {
    while (!started) await look();
  })();
  const config = await testConfig(database.url, { DATABASE_MIGRATE: 'true', DATABASE_CA_FILE: caFile });
  expect(config.insecureTransports).toEqual([]);

  // when it starts and answers
  const plane = await startControlPlane(config, { messaging }).finally(() => (started = true));
  try {
    await watching;
    await fetch(`${plane.url}/api/v1/container-groups`);
    await fetch(`${plane.url}/api/v1/agent/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    await eventually(
      async () => {
        await look();
        const names = new Set([...seen.values()].map(({ application }) => application));
        expect([...names]).toEqual(expect.arrayContaining(APPLICATIONS));
        return true;
      },
      { what: 'its connections are seen', deadlineMs: 30_000 },
    );

    // then nothing of it was in clear
    expect([...seen.values()].filter(({ ssl }) => !ssl)).toEqual([]);
  } finally {
    await plane.stop();
    await messaging.close();
    await admin.end();
  }
});
