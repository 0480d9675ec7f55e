import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createTestDatabase,
  eventually,
  startEciSimulator,
  temporaryFolder,
  type EciSimulatorRig,
  type TemporaryFolder,
} from '#libs/testing';
import { startFleet as startPlayedFleet } from '../spec/for-fleet-specs.ts';
import { call, newTokenKey } from '../spec/for-specs.ts';

/** All roles together, on a real database and the simulated cloud; only the agent is played. */

let folder: TemporaryFolder;
let simulator: EciSimulatorRig;

beforeAll(async () => {
  folder = temporaryFolder('scenario');
  const scenario = join(folder.path, 'scenario.json');
  await writeFile(scenario, JSON.stringify({ settings: { latencies: { factor: 0.05 }, buckets: 'unlimited' } }));
  simulator = await startEciSimulator({
    env: {
      ECI_SIMULATOR_SCENARIO: scenario,
      ECI_SIMULATOR_ACCESS_KEY_ID: 'LTAI-spec',
      ECI_SIMULATOR_ACCESS_KEY_SECRET: 'secret-spec',
    },
  });
});

afterAll(async () => {
  await simulator?.stop();
  await folder?.remove();
});

async function startFleet(clusterId: string, environment: Record<string, string> = {}) {
  const fleet = await startPlayedFleet(clusterId, await createTestDatabase(), {
    ECI_ENDPOINT: simulator.endpoint,
    ECI_ACCESS_KEY: 'LTAI-spec',
    ECI_SECRET_KEY: 'secret-spec',
    FLEET_TOKEN_KEY: await newTokenKey(),
    ...environment,
  });
  return Object.assign(fleet, {
    async groups(): Promise<{ tags?: Record<string, string> }[]> {
      const path = `/ledger/groups?tag.eci-fleet-cluster=${clusterId}&limit=1000`;
      return (await simulator.control<{ groups: { tags?: Record<string, string> }[] }>('GET', path)).groups;
    },
  });
}

describe('all roles together', () => {
  it('runs a pod, tells its story, and ends it', async () => {
    const fleet = await startFleet('whole');
    try {
      await fleet.run('u1', 'web');
      const up = await eventually(() => [fleet.statuses.get('u1')].find((s) => s?.status?.['phase'] === 'Running'), {
        what: 'the pod is Running',
        deadlineMs: 40_000,
      });
      expect(up?.status).toMatchObject({ phase: 'Running', podIP: expect.any(String) });
      expect(await fleet.groups()).toHaveLength(1);

      await fleet.stopPod('u1', 'web');
      await eventually(() => fleet.statuses.get('u1')?.finalize, {
        what: 'the pod may be removed',
        deadlineMs: 40_000,
      });
      const history = await call<{ items: { type: string; actor: string; cause?: string }[] }>(
        fleet.plane.url,
        'GET',
        `/api/v1/container-groups/${encodeURIComponent('whole/u1')}/history`,
      );
      const types = history.body.items.map((event) => event.type);
      for (const type of [
        'PodIntentAccepted',
        'PlacementChosen',
        'ContainerGroupCreated',
        'ContainerGroupLanded',
        'StopRequested',
        'DeleteAccepted',
        'ContainerGroupGone',
      ]) {
        expect(types).toContain(type);
      }
      expect(history.body.items.every((event) => event.actor !== '')).toBe(true);
      expect(JSON.stringify(history.body)).not.toContain('canary-env');
      expect(await call(fleet.plane.url, 'GET', '/api/v1/accounts/default')).toMatchObject({
        body: { auth: { state: 'accepted' } },
      });
    } finally {
      await fleet.close();
    }
  });

  it('ends in one group a pod although it is stopped and started again in the middle', async () => {
    const fleet = await startFleet('restarts');
    const uids = Array.from({ length: 12 }, (_, i) => `u${i}`);
    try {
      for (const [i, uid] of uids.entries()) {
        await fleet.run(uid);
        if (i % 4 === 3) await fleet.restart();
      }
      await eventually(() => uids.every((uid) => fleet.statuses.get(uid)?.status?.['phase'] === 'Running'), {
        what: 'every pod is Running',
        deadlineMs: 60_000,
      });
      const pods = (await fleet.groups()).map((group) => group.tags?.['eci-fleet-pod-uid']);
      expect(pods.sort()).toEqual([...uids].sort());
    } finally {
      await fleet.close();
    }
  }, 120_000);

  it('holds stops that come in masses, says so on each pod, and lets them happen when an operator says so', async () => {
    const fleet = await startFleet('lost', { FLEET_MASS_DELETE_PERCENT: '0', FLEET_MASS_DELETE_COUNT: '0' });
    try {
      const uids = ['h1', 'h2'];
      const told = (uid: string): readonly string[] =>
        (fleet.statuses.get(uid)?.events ?? []).map(({ reason }) => reason);
      for (const uid of uids) await fleet.run(uid);
      for (const uid of uids)
        await eventually(() => fleet.statuses.get(uid)?.status?.['phase'] === 'Running', { what: `${uid} runs` });

      for (const uid of uids) await fleet.absent(uid);
      for (const uid of uids) await eventually(() => told(uid).includes('StopHeld'), { what: `${uid} is told` });
      expect(fleet.statuses.get('h1')).toMatchObject({ finalize: false, status: { phase: 'Running' } });
      const { url } = fleet.plane;
      expect((await call(url, 'GET', '/api/v1/clusters/lost')).body).toMatchObject({ hold: { held: 2, active: true } });
      expect((await call(url, 'GET', '/api/v1/container-groups/lost%2Fh1')).body).toMatchObject({
        held: { hold: 'lost/1', reason: 'Absent' },
      });

      const release = { only: ['h1'], by: 'jo' };
      expect((await call(url, 'POST', '/api/v1/holds/lost/release', { body: release })).status).toBe(202);
      await eventually(() => fleet.statuses.get('h1')?.finalize !== false || told('h1').includes('StopRequested'), {
        what: 'the released pod is stopped',
      });
      // and the other one is back
      await fleet.run('h2');
      await eventually(() => told('h2').includes('StopReleased'), { what: 'the pod that is back is not stopped' });
      expect(fleet.statuses.get('h2')).toMatchObject({ finalize: false, status: { phase: 'Running' } });
      await eventually(
        async () => (await call<{ items: unknown[] }>(url, 'GET', '/api/v1/holds/lost')).body.items.length === 0,
        { what: 'nothing is held any more' },
      );
    } finally {
      await fleet.close();
    }
  });

  it('creates nothing with a key that the cloud refuses, and says so where people look', async () => {
    const fleet = await startFleet('refused', { ECI_ACCESS_KEY: 'LTAI-nobody', ECI_SECRET_KEY: 'canary-secret-key' });
    try {
      await fleet.run('u1');
      const account = await eventually(
        async () => {
          const { body } = await call<{ auth: { state: string; message?: string } }>(
            fleet.plane.url,
            'GET',
            '/api/v1/accounts/default',
          );
          return body.auth.state === 'refused' && body;
        },
        { what: 'the account is known to be refused', deadlineMs: 30_000 },
      );
      expect(account.auth.message).toBeTruthy();
      expect(JSON.stringify(account)).not.toContain('canary');
      await eventually(
        async () => {
          const { body } = await call<{ life: string; reason?: string }>(
            fleet.plane.url,
            'GET',
            `/api/v1/container-groups/${encodeURIComponent('refused/u1')}`,
          );
          return body.life === 'parked';
        },
        { what: 'the pod waits for the account', deadlineMs: 30_000 },
      );
      await eventually(() => fleet.statuses.get('u1')?.events.some((event) => event.type === 'Warning'), {
        what: 'the pod has a warning',
      });
      expect(await fleet.groups()).toEqual([]);
    } finally {
      await fleet.close();
    }
  });
});
