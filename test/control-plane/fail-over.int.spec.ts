/** A whole control plane, its PostgreSQL, and the words with which a server that fails over answers whoever stays. */
import pg from 'pg';
import { describe, expect, it, type TestContext } from 'vitest';
import { lifeOf } from '#libs/domain';
import { createDatabase, migrate, startPostgres } from '#libs/testing';
import { startControlPlane, type ControlPlane } from '../../services/control-plane/src/control-plane.ts';
import { call, testConfig } from '../../services/control-plane/spec/for-specs.ts';
import { LoopsRig } from './loops-rig.ts';
import { FLEET } from './names.ts';
import { SqlProxy, type LastWords } from './sql-proxy.ts';

interface Ready {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly reason?: string }[];
}

/** A control plane on the database of a rig, reached by a URL. */
class Plane {
  private readonly rig: LoopsRig;
  private readonly running: ControlPlane;

  private constructor(rig: LoopsRig, running: ControlPlane) {
    this.rig = rig;
    this.running = running;
  }

  static async start(rig: LoopsRig, databaseUrl: string): Promise<Plane> {
    // Whoever backs off does so on the rig's clock, which is moved while something is awaited.
    rig.hurriesSleepers = true;
    const config = await testConfig(databaseUrl, { FLEET_NAME: FLEET, FLEET_MASTER_KEY: rig.masterKeyText });
    const running = await startControlPlane(config, {
      messaging: rig.messaging,
      eciClients: rig.clients(),
      clock: rig.clock,
    });
    return new Plane(rig, running);
  }

  stop(): Promise<void> {
    return this.running.stop();
  }

  async failing(): Promise<readonly string[]> {
    const { body } = await call<Ready>(this.running.url, 'GET', '/health/ready');
    return body.checks.filter(({ ok }) => !ok).map(({ name, reason }) => `${name}: ${reason}`);
  }

  async isReadyAgain(): Promise<void> {
    let failing: readonly string[] = ['nobody was asked'];
    const works = async (): Promise<boolean> => (failing = await this.failing()).length === 0;
    await this.rig.hurryUntil(works, 'every role works', 1_000, 90_000).catch(() => undefined);
    expect(failing).toEqual([]);
  }

  /** From its intent to the proof that nothing is left of it, whatever fails on the way. */
  async podLives(uid: string): Promise<void> {
    const is = (life: string) => async () => lifeOf(await this.rig.state(uid)) === life;
    await this.rig.runPod(uid);
    await this.rig.hurryUntil(is('running'), `pod ${uid} runs`, 5_000, 120_000);
    await this.rig.stopPod(uid);
    await this.rig.hurryUntil(is('gone'), `pod ${uid} is gone`, 5_000, 120_000);
  }

  /** Every list and report of the API, at once. Whoever meets the trouble is told that it passes. */
  async answersEverything(): Promise<void> {
    const { url } = this.running;
    const { body } = await call<{ paths: Record<string, { get?: unknown }> }>(url, 'GET', '/api/docs-json');
    const paths = Object.keys(body.paths).filter((path) => body.paths[path]?.get && !path.includes('{'));
    expect(paths.length).toBeGreaterThan(5);
    const answers = await Promise.all(
      paths.map(async (path) => [path, await call(url, 'GET', path).catch(() => ({ status: 0 }))] as const),
    );
    expect(answers.filter(([, { status }]) => status >= 500 && status !== 503).map(([path]) => path)).toEqual([]);
  }

  async blamesNothing(): Promise<void> {
    for (const table of ['es.subscription_parked', 'fleet.quarantine', 'es.gate'])
      expect((await this.rig.pool.query(`select * from ${table}`)).rows, table).toEqual([]);
  }
}

/** Undone from the last to the first when the test has ended. */
function undoing({ onTestFinished }: Pick<TestContext, 'onTestFinished'>): (step: () => Promise<unknown>) => void {
  const undo: (() => Promise<unknown>)[] = [];
  onTestFinished(async () => {
    for (const step of undo.reverse()) await step();
  });
  return (step) => void undo.push(step);
}

// Side by side: each has a server's database, a cloud and a time of its own, and mostly waits.
describe.concurrent('a control plane whose PostgreSQL says its last words at every statement', () => {
  const words: readonly LastWords[] = [
    { code: '25006', closes: false },
    { code: '25P04', closes: true },
    { code: '08006', closes: false },
    { code: '57P01', closes: true },
  ];

  it.for(words)(
    'goes on after $code, and uses no connection that has heard it',
    { timeout: 400_000 },
    async (said, context) => {
      const atTheEnd = undoing(context);
      // given a control plane at work
      const rig = await LoopsRig.start();
      atTheEnd(() => rig.stop());
      const wire = await SqlProxy.start(rig.url);
      atTheEnd(() => wire.stop());
      const plane = await Plane.start(rig, wire.url);
      atTheEnd(() => plane.stop());
      await plane.podLives('before');
      await plane.answersEverything();

      // when each of its statements is answered so, once
      wire.refuseEachOnce(said);
      for (let pod = 1, before = -1; wire.refused.size > before; pod++) {
        before = wire.refused.size;
        await Promise.all([plane.podLives(`u${pod}`), plane.answersEverything()]);
      }
      wire.heal();

      // then everything works as before, nothing and nobody was blamed for it, and every such connection was left
      expect(wire.refused.size).toBeGreaterThan(40);
      await plane.isReadyAgain();
      await plane.podLives('after');
      await plane.blamesNothing();
      expect(wire.usedAfterLastWords).toEqual([]);
    },
  );
});

describe.concurrent('a control plane whose PostgreSQL was demoted', () => {
  it(
    'is not ready while no server takes its writes, and works again once new connections reach one that does',
    { timeout: 400_000 },
    async (context) => {
      const atTheEnd = undoing(context);
      // given a control plane at work on a server of its own
      const server = await startPostgres();
      atTheEnd(() => server.stop());
      const database = await createDatabase(server.url);
      await migrate(database.url);
      const rig = await LoopsRig.start({}, Promise.resolve({ url: database.url, drop: () => Promise.resolve() }));
      atTheEnd(() => rig.stop());
      const plane = await Plane.start(rig, database.url);
      atTheEnd(() => plane.stop());
      await plane.podLives('before');
      const admin = new pg.Client({ connectionString: server.url });
      await admin.connect();
      atTheEnd(() => admin.end());

      // when that server takes no writes any more, and keeps its sessions
      await admin.query('set default_transaction_read_only = off');
      await admin.query('alter system set default_transaction_read_only = on');
      await admin.query('select pg_reload_conf()');

      // then it says so
      await rig.hurryUntil(
        async () => (await plane.failing()).some((each) => /^postgresql: .*read-only/.test(each)),
        'it is not ready for want of a server that takes writes',
        1_000,
        60_000,
      );

      // when new sessions, and only they, are taken by one that does
      await admin.query(
        `alter role postgres in database ${pg.escapeIdentifier(database.name)} set default_transaction_read_only = off`,
      );

      // then the process finds it by itself
      await plane.isReadyAgain();
      await plane.podLives('after');
      await plane.isReadyAgain();
      await plane.blamesNothing();
    },
  );
});
