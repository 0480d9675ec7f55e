/** A whole control plane, its PostgreSQL, and the words with which a server that fails over answers whoever stays. */
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { lifeOf } from '#libs/domain';
import { createDatabase, eventually, migrate, startPostgres } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../../services/control-plane/src/control-plane.ts';
import { call, testConfig } from '../../services/control-plane/src/for-specs.ts';
import { LoopsRig } from './loops-rig.ts';
import { FLEET } from './names.ts';
import { SqlProxy, type LastWords } from './sql-proxy.ts';

let rig: LoopsRig;
let plane: ControlPlane;
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await plane.stop();
  await rig.stop();
  for (const step of undo.splice(0).reverse()) await step();
});

async function begin(databaseUrl: string): Promise<void> {
  const config = await testConfig(databaseUrl, { FLEET_NAME: FLEET, FLEET_MASTER_KEY: rig.masterKeyText });
  plane = await startControlPlane(config, {
    messaging: rig.messaging,
    eciClients: rig.clients(),
    clock: rig.clock,
  });
}

interface Ready {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly reason?: string }[];
}
const failing = async (): Promise<readonly string[]> => {
  const { body } = await call<Ready>(plane.url, 'GET', '/health/ready');
  return body.checks.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`);
};
const readyAgain = () =>
  eventually(
    async () => {
      expect(await failing()).toEqual([]);
      return true;
    },
    { what: 'every role works', deadlineMs: 90_000, everyMs: 250 },
  );

/** From its intent to the proof that nothing is left of it, whatever fails on the way. */
async function podLives(uid: string): Promise<void> {
  const is = (life: string) => async () => lifeOf(await rig.state(uid)) === life;
  await rig.runPod(uid);
  await rig.hurryUntil(is('running'), `pod ${uid} runs`, 2_000, 90_000);
  await rig.stopPod(uid);
  await rig.hurryUntil(is('gone'), `pod ${uid} is gone`, 2_000, 90_000);
}

/** Every list and report of the API, at once. Whoever meets the trouble is told that it passes. */
async function askEverything(): Promise<void> {
  const { body } = await call<{ paths: Record<string, { get?: unknown }> }>(plane.url, 'GET', '/api/docs-json');
  const paths = Object.keys(body.paths).filter((path) => body.paths[path]?.get && !path.includes('{'));
  expect(paths.length).toBeGreaterThan(5);
  const answers = await Promise.all(
    paths.map(async (path) => [path, await call(plane.url, 'GET', path).catch(() => ({ status: 0 }))] as const),
  );
  expect(answers.filter(([, { status }]) => status >= 500 && status !== 503).map(([path]) => path)).toEqual([]);
}

async function nothingWasBlamed(): Promise<void> {
  for (const table of ['es.subscription_parked', 'fleet.quarantine', 'es.gate'])
    expect((await rig.pool.query(`select * from ${table}`)).rows, table).toEqual([]);
}

describe('a control plane whose PostgreSQL says its last words at every statement', () => {
  const words: readonly LastWords[] = [
    { code: '25006', closes: false },
    { code: '25P04', closes: true },
    { code: '08006', closes: false },
    { code: '57P01', closes: true },
  ];

  it.each(words)(
    'goes on after $code, and uses no connection that has heard it',
    { timeout: 240_000 },
    async (said) => {
      // given a control plane at work
      rig = await LoopsRig.start();
      const wire = await SqlProxy.start(rig.url);
      undo.push(() => wire.stop());
      await begin(wire.url);
      await podLives('before');
      await askEverything();

      // when each of its statements is answered so, once
      wire.refuseEachOnce(said);
      for (let pod = 1, before = -1; wire.refused.size > before; pod++) {
        before = wire.refused.size;
        await Promise.all([podLives(`u${pod}`), askEverything()]);
      }
      wire.heal();

      // then everything works as before, nothing and nobody was blamed for it, and every such connection was left
      expect(wire.refused.size).toBeGreaterThan(40);
      await readyAgain();
      await podLives('after');
      await nothingWasBlamed();
      expect(wire.usedAfterLastWords).toEqual([]);
    },
  );
});

describe('a control plane whose PostgreSQL was demoted', () => {
  it(
    'is not ready while no server takes its writes, and works again once new connections reach one that does',
    { timeout: 240_000 },
    async () => {
      // given a control plane at work on a server of its own
      const server = await startPostgres();
      undo.push(() => server.stop());
      const database = await createDatabase(server.url);
      await migrate(database.url);
      rig = await LoopsRig.start({}, Promise.resolve({ url: database.url, drop: () => Promise.resolve() }));
      await begin(database.url);
      await podLives('before');
      const admin = new pg.Client({ connectionString: server.url });
      await admin.connect();
      undo.push(() => admin.end());

      // when that server takes no writes any more, and keeps its sessions
      await admin.query('set default_transaction_read_only = off');
      await admin.query('alter system set default_transaction_read_only = on');
      await admin.query('select pg_reload_conf()');

      // then it says so
      await eventually(async () => (await failing()).some((each) => /^postgresql: .*read-only/.test(each)), {
        what: 'it is not ready for want of a server that takes writes',
        deadlineMs: 60_000,
      });

      // when new sessions, and only they, are taken by one that does
      await admin.query(
        `alter role postgres in database ${pg.escapeIdentifier(database.name)} set default_transaction_read_only = off`,
      );

      // then the process finds it by itself
      await readyAgain();
      await podLives('after');
      await readyAgain();
      await nothingWasBlamed();
    },
  );
});
