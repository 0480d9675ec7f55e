import { AlibabaEciClient } from '#libs/eci';
import { lifeOf, streamIdOf } from '#libs/domain';
import { PostgresEventStore } from '#libs/event-store';
import { SeededRandom } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examine } from '../../services/control-plane/src/doctor/examine.ts';
import type { Examination } from '../../services/control-plane/src/doctor/look.ts';
import { PROJECTIONS } from '../../services/control-plane/src/projections.ts';
import type { OracleId } from '../../services/control-plane/src/doctor/finding.ts';
import { DEMO_CREDENTIAL } from '../../services/eci-simulator/src/simulator.ts';
import { LoopsRig } from './loops-rig.ts';
import { ACCOUNT, CLUSTER, FLEET, REGION, V_SWITCHES } from './names.ts';

const ONLY: readonly OracleId[] = ['O1', 'O2', 'O3', 'O4', 'O7', 'O8', 'O10'];

let rig: LoopsRig;
beforeEach(async () => {
  rig = await LoopsRig.start();
});
afterEach(() => rig.stop());

const look = (only = ONLY, pool = rig.pool): Promise<Examination> =>
  examine(
    {
      pool,
      clients: rig.clients(),
      fleet: FLEET,
      clock: rig.clock,
      random: new SeededRandom(1),
      canaries: { values: [{ name: 'the AccessKey secret', value: DEMO_CREDENTIAL.accessKeySecret }] },
      projections: PROJECTIONS,
    },
    { only, quietMs: 100 },
  );

const isRunning = (uid: string) =>
  eventually(async () => lifeOf(await rig.state(uid)) === 'running', { what: `pod ${uid} runs` });

/** A group that carries our tags although no stream made it. */
async function strangersGroup(podUid: string): Promise<string> {
  const client = new AlibabaEciClient({
    accountId: ACCOUNT,
    region: REGION,
    endpoint: { host: new URL(rig.simulator.url).host, protocol: 'http' },
    credential: () => Promise.resolve(DEMO_CREDENTIAL),
  });
  const container = { name: 'main', image: 'nginx', command: [], args: [], env: [], ports: [], mounts: [] };
  const frozen = client.freeze(
    {
      name: 'by-somebody',
      region: REGION,
      restartPolicy: 'Always',
      containers: [{ ...container, security: { addCapabilities: [] } }],
      initContainers: [],
      volumes: [],
      securityGroupIds: ['sg-demo'],
      registryCredentials: [],
      hostAliases: [],
      sysctls: [],
      tags: {},
    },
    { clientToken: `stranger-${podUid}`, vSwitchIds: V_SWITCHES, ordered: true, specs: ['2-4Gi'], spot: false },
    { fleet: FLEET, clusterId: CLUSTER, podUid, attempt: 1, namespace: 'default', name: 'x' },
  );
  const outcome = await client.create(frozen);
  if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome));
  return outcome.containerGroupId;
}

describe('the doctor at a live fleet', () => {
  it('finds nothing while pods come, run and go', async () => {
    rig.start();
    await Promise.all(['a', 'b', 'c'].map((uid) => rig.runPod(uid)));
    await isRunning('a');
    await rig.stopPod('a');
    const early = await look();
    expect(early.findings).toEqual([]);
    await eventually(async () => lifeOf(await rig.state('a')) === 'gone', {
      what: 'pod a is gone',
      deadlineMs: 40_000,
    });
    await Promise.all(['b', 'c'].map(isRunning));
    expect(await look()).toMatchObject({ findings: [], unchecked: [] });
  });

  it('finds a group of the fleet that no stream has', async () => {
    const loops = rig.start();
    await rig.runPod('a');
    await isRunning('a');
    await loops.stop();
    const orphan = await strangersGroup('nobody');
    const { findings } = await look();
    expect(findings).toMatchObject([{ oracle: 'O2', kind: 'orphan', where: { containerGroup: orphan } }]);
  });

  it('finds two open groups of one pod', async () => {
    const loops = rig.start();
    await rig.runPod('a');
    await isRunning('a');
    await loops.stop();
    await strangersGroup('a');
    expect((await look()).findings.map(({ kind }) => kind).toSorted()).toEqual(['two-open', 'unknown-to-its-stream']);
  });

  it('finds work that nobody does', async () => {
    const loops = rig.start();
    await rig.runPod('a');
    await isRunning('a');
    await loops.stop();
    const streamId = streamIdOf(CLUSTER, 'a');
    const { version } = await rig.state('a');
    const row = { kind: 'Confirm', key: 'eci-1', lane: `${ACCOUNT}/${REGION}/describe`, tenant: CLUSTER };
    await new PostgresEventStore(rig.pool).append([
      { streamId, expected: version, events: [], effects: [{ op: 'put', ...row, priority: 0, afterMs: 0, data: {} }] },
    ]);
    expect((await look(['O1'])).findings).toEqual([]);
    await rig.hurry(300_000);
    expect((await look(['O1'])).findings).toMatchObject([
      { oracle: 'O1', where: { stream: streamId, place: row.lane }, what: expect.stringContaining('Confirm/eci-1') },
    ]);
  });

  it('finds a row of a held stop that no event tells of', async () => {
    const streamId = streamIdOf(CLUSTER, 'ghost');
    await rig.pool.query(
      `insert into fleet.held_stop (stream_id, cluster_id, pod_uid, namespace, name, hold_id, reason, since)
       values ($1, $2, 'ghost', 'default', 'web', 'c/1', 'Absent', now())`,
      [streamId, CLUSTER],
    );
    const { findings, looked } = await look(['O5']);
    expect(findings).toMatchObject([{ oracle: 'O5', kind: 'differs-held-stops', where: { stream: streamId } }]);
    expect(looked.map(({ at }) => at)).toEqual(expect.arrayContaining(['rows of held stops', 'rows of orphans']));
  });

  it('judges nothing by a list that the cloud does not give', async () => {
    const loops = rig.start();
    await rig.runPod('a');
    await isRunning('a');
    await loops.stop();
    rig.credential = () => Promise.resolve({ accessKeyId: 'LTAI-nobody', accessKeySecret: 'wrong' });
    const { findings, unchecked } = await look(['O2', 'O3']);
    expect(findings).toEqual([]);
    expect(unchecked.map(({ oracle }) => oracle)).toEqual(['O2', 'O3']);
  });

  it('says which stream it cannot read, and examines the others', async () => {
    const loops = rig.start();
    await rig.runPod('a');
    await isRunning('a');
    await loops.stop();
    // given an event of a shape that nothing can be made of, a group of its pod, and a group that no stream has
    const broken = streamIdOf(CLUSTER, 'broken');
    const metadata = { actor: 'somebody', decidedAt: new Date().toISOString() };
    await new PostgresEventStore(rig.pool).append([
      {
        streamId: broken,
        expected: 0,
        events: [{ eventId: crypto.randomUUID(), type: 'CreateRefused', schemaVersion: 1, data: {}, metadata }],
      },
    ]);
    await strangersGroup('broken');
    const orphan = await strangersGroup('nobody');

    const { findings, looked } = await look();

    expect(findings).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'check-failed', where: { stream: broken } }),
        expect.objectContaining({
          kind: 'orphan',
          where: expect.objectContaining({ containerGroup: orphan }) as object,
        }),
      ]),
    );
    // and nothing is concluded of the group whose stream cannot be read
    expect(findings).toHaveLength(2);
    expect([...new Set(looked.map(({ oracle }) => oracle))]).toEqual(ONLY);
  });

  it.each([
    ['O1', 'from es.effect where run_at'],
    ['O5', 'fleet.container_group_count'],
    ['O6', 'from es.lane order by'],
    ['O9', 'es.subscription_lag'],
  ] as const)('makes a finding of check %s that fails, and makes all the others', async (oracle, words) => {
    const all: readonly OracleId[] = ['O1', 'O2', 'O3', 'O4', 'O5', 'O6', 'O7', 'O8', 'O9', 'O10'];
    const { findings, looked } = await look(all, failingAt(rig.pool, words));
    expect(findings).toMatchObject([
      { oracle, kind: 'check-failed', what: 'this could not be examined: this check is broken' },
    ]);
    const others = all.filter((each) => each !== oracle);
    const lookedAt = new Set(looked.map((each) => each.oracle));
    expect(others.filter((each) => !lookedAt.has(each))).toEqual([]);
  });
});

/** The pool, where queries with these words fail. */
function failingAt<T extends object>(pool: T, words: string): T {
  return new Proxy(pool, {
    get: (target, property) => {
      const value = Reflect.get(target, property, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (property === 'query' && String(args[0]).includes(words))
          return Promise.reject(new Error('this check is broken'));
        const result = (value as (...all: unknown[]) => unknown).apply(target, args);
        return property === 'connect' ? (result as Promise<object>).then((client) => failingAt(client, words)) : result;
      };
    },
  });
}
