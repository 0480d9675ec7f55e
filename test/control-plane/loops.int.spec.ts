import { finalize, isClosed, lifeOf } from '#libs/domain';
import { topics } from '#libs/contracts';
import { CloudAccountUnusable } from '#libs/eci';
import { eventually } from '#libs/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { LoopsRig, runPodBody, sealedHalf, type PodOver } from './loops-rig.ts';
import { CLUSTER, FLEET } from './names.ts';

let rig: LoopsRig;
afterEach(() => rig.stop());

const life = async (uid: string): Promise<string> => lifeOf(await rig.state(uid));
const lives = (uid: string, wanted: string) =>
  eventually(async () => (await life(uid)) === wanted, { what: `pod ${uid} is ${wanted}` });
const countOf = async (uid: string, type: string): Promise<number> =>
  (await rig.history(uid)).filter((each) => each === type).length;

describe('one pod, all the way', () => {
  it('runs, is seen running with its address, is stopped and proven gone', async () => {
    rig = await LoopsRig.start();
    rig.start();

    // when an agent asks for a pod
    await rig.runPod('u1');
    await lives('u1', 'running');

    // then one group runs it, landed, with an address
    const state = await rig.state('u1');
    expect(state.group?.podIp).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    expect(state.group?.landed).toMatchObject({ zone: 'cn-hangzhou-h', vSwitchId: 'vsw-demo-h' });
    expect(await rig.groupsOf('u1')).toHaveLength(1);
    expect((await rig.history('u1')).slice(0, 3)).toEqual([
      'PodIntentAccepted',
      'PlacementChosen',
      'ContainerGroupCreated',
    ]);

    // when it is deleted
    await rig.stopPod('u1');
    await lives('u1', 'gone');

    // then nothing of it is left, here or there
    expect(await rig.groupsOf('u1', '&open=true')).toEqual([]);
    expect((await rig.history('u1')).slice(-2)).toEqual(['DeleteAccepted', 'ContainerGroupGone']);
    expect(await rig.effects()).toEqual([]);
    expect((await rig.pool.query('select * from es.sealed')).rows).toEqual([]);
  });

  it('harvests how a job ended, and lets the pod go only when it is deleted', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('job', { container: { command: ['sh', '-c', 'sleep 0.2; exit 3'] } });

    await lives('job', 'failed');
    const state = await rig.state('job');
    expect(state.group?.containers[0]?.state).toMatchObject({ state: 'terminated', exitCode: 3 });
    expect([isClosed(state), finalize(state)]).toEqual([true, false]);

    await rig.stopPod('job');
    await lives('job', 'gone');
    expect(await countOf('job', 'PlacementChosen')).toBe(1);
  });

  it('does not run a pod whose deletion came first, whatever comes later', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.stopPod('u1');
    await lives('u1', 'gone');
    await rig.runPod('u1');
    await rig.runPod('u2');
    await lives('u2', 'running');
    expect(await rig.groupsOf('u1')).toEqual([]);
    expect(await rig.history('u1')).toEqual(['StopRequested']);
  });

  it('changes nothing when the same intent comes again and again', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await Promise.all(Array.from({ length: 5 }, () => rig.runPod('u1')));
    await lives('u1', 'running');
    // The cloud may have more to tell of it at any time.
    const ofIntents = async () => (await rig.history('u1')).filter((type) => type !== 'ContainersChanged');
    const before = await ofIntents();
    await Promise.all(Array.from({ length: 5 }, () => rig.runPod('u1')));
    await rig.runPod('u2');
    await lives('u2', 'running');
    expect(await ofIntents()).toEqual(before);
    expect(await rig.groupsOf('u1')).toHaveLength(1);
    expect((await rig.requests('CreateContainerGroup')).length).toBe(2);
  });

  it('refuses what a running pod may not change, once', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'running');
    await rig.runPod('u1', { container: { image: 'nginx:2' } });
    await rig.runPod('u1', { container: { image: 'nginx:2' } });
    await eventually(async () => (await countOf('u1', 'PodChangeRefused')) === 1, { what: 'the change is refused' });
    expect((await rig.state('u1')).refusedFields).toEqual(['spec.containers[0].image']);
  });

  it('rejects what the cloud cannot give, with the field, and creates nothing', async () => {
    rig = await LoopsRig.start();
    rig.start();
    await rig.runPod('u1', { spec: { hostNetwork: true } });
    await lives('u1', 'rejected');
    expect((await rig.state('u1')).end?.message).toContain('spec.hostNetwork');
    expect(await rig.requests('CreateContainerGroup')).toEqual([]);
    expect((await rig.pool.query('select * from es.sealed')).rows).toEqual([]);
  });
});

describe('when the cloud has no stock', () => {
  it('falls through to the next zone within one request', async () => {
    rig = await LoopsRig.start({ stock: [{ zone: 'cn-hangzhou-h', capacity: 0 }] });
    rig.start();
    await rig.runPod('u1');
    await eventually(async () => (await rig.state('u1')).group?.landed, { what: 'the pod lands' });
    expect((await rig.state('u1')).group?.landed?.zone).toBe('cn-hangzhou-i');
    expect(await countOf('u1', 'PlacementChosen')).toBe(1);
  });

  it.each([
    ['at once', 0],
    ['after it has accepted', 1],
  ])('parks pods behind one gate when it says so %s, and lets them through when there is stock', async (_, later) => {
    rig = await LoopsRig.start({
      stock: ['h', 'i', 'j', 'k'].map((zone) => ({ zone: `cn-hangzhou-${zone}`, capacity: 0 })),
      settings: { asynchronousStockFailure: later },
    });
    rig.start();
    for (const uid of ['u1', 'u2', 'u3']) await rig.runPod(uid);
    for (const uid of ['u1', 'u2', 'u3']) await lives(uid, 'parked');
    const tried = (await rig.requests('CreateContainerGroup')).length;
    expect(tried).toBeLessThanOrEqual(3);

    // when there is stock again
    await rig.simulator.control('DELETE', '/stock');
    // then a probe goes first and the others follow
    await rig.hurryUntil(
      async () => (await Promise.all(['u1', 'u2', 'u3'].map(life))).every((each) => each === 'running'),
      'all pods run',
      5_000,
    );
    for (const uid of ['u1', 'u2', 'u3']) expect(await rig.groupsOf(uid, '&open=true')).toHaveLength(1);
  });

  it('forgets a parked pod that is deleted', async () => {
    rig = await LoopsRig.start({ stock: ['h', 'i'].map((zone) => ({ zone: `cn-hangzhou-${zone}`, capacity: 0 })) });
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'parked');
    await rig.stopPod('u1');
    await lives('u1', 'gone');
    expect((await rig.pool.query('select * from es.parked')).rows).toEqual([]);
  });
});

describe('when answers are lost', () => {
  it('repeats the same request and finds the one group', async () => {
    rig = await LoopsRig.start();
    rig.start();
    // given a place that was listed already: a list would find the group before its create is repeated
    await rig.runPod('u0');
    await lives('u0', 'running');
    await eventually(
      async () => (await rig.pool.query('select from fleet.scope where listed_at is not null')).rowCount === 1,
      { what: 'the place was listed' },
    );
    const [first] = await rig.requests('CreateContainerGroup');
    await rig.simulator.control('POST', '/faults', { kind: 'lost-answer', action: 'CreateContainerGroup', count: 2 });

    await rig.runPod('u1');
    await rig.hurryUntil(async () => (await life('u1')) === 'running', 'the pod runs', 2_000);
    expect(await rig.groupsOf('u1')).toHaveLength(1);
    expect(await countOf('u1', 'CreateOutcomeUnknown')).toBe(1);
    expect(await countOf('u1', 'PlacementChosen')).toBe(1);
    const tokens = (await rig.requests('CreateContainerGroup'))
      .map((request) => request.clientToken)
      .filter((token) => token !== first!.clientToken);
    expect(tokens.length).toBeGreaterThan(1);
    expect(new Set(tokens).size).toBe(1);
  });

  it('deletes the group of a pod that was stopped before anybody knew whether it exists', async () => {
    rig = await LoopsRig.start({ faults: [{ kind: 'lost-answer', action: 'CreateContainerGroup' }] });
    rig.start();
    await rig.runPod('u1');
    await eventually(async () => (await rig.groupsOf('u1')).length === 1, { what: 'the group exists' });
    await rig.stopPod('u1');
    await rig.hurryUntil(async () => finalize(await rig.state('u1')), 'the pod may go');
    expect(await rig.history('u1')).toContain('Adopted');
    expect(await rig.groupsOf('u1')).toHaveLength(1);
    expect(await rig.groupsOf('u1', '&open=true')).toEqual([]);
  });

  it('takes a refusal after an unknown outcome for no proof, and settles it by looking', async () => {
    // given a cloud whose first answer says nothing, and whose later ones refuse although nothing was made
    rig = await LoopsRig.start({
      stock: ['h', 'i', 'j', 'k'].map((zone) => ({ zone: `cn-hangzhou-${zone}`, capacity: 0 })),
      faults: [{ kind: 'html-503', action: 'CreateContainerGroup', count: 1 }],
      settings: { tokenCheck: 'last' },
    });
    rig.start();
    await rig.runPod('u1');
    await rig.hurryUntil(async () => (await rig.requests('CreateContainerGroup')).length >= 2, 'it is repeated', 2_000);
    expect(await rig.history('u1')).not.toContain('CreateRefused');
    // then absence is proven before another attempt is chosen
    await rig.simulator.control('DELETE', '/stock');
    await rig.hurryUntil(async () => (await life('u1')) === 'running', 'the pod runs');
    const history = await rig.history('u1');
    expect(history.indexOf('ContainerGroupGone')).toBeGreaterThan(history.indexOf('CreateOutcomeUnknown'));
    expect(history.lastIndexOf('PlacementChosen')).toBeGreaterThan(history.indexOf('ContainerGroupGone'));
    expect(await rig.groupsOf('u1')).toHaveLength(1);
  });

  it('proves that a lost create that never took effect left nothing, when the pod is stopped', async () => {
    rig = await LoopsRig.start({ faults: [{ kind: 'html-503', action: 'CreateContainerGroup' }] });
    rig.start();
    await rig.runPod('u1');
    await eventually(async () => (await countOf('u1', 'CreateOutcomeUnknown')) === 1, {
      what: 'the outcome is unknown',
    });
    await rig.stopPod('u1');
    await rig.hurryUntil(async () => finalize(await rig.state('u1')), 'the pod may go');
    expect(await rig.groupsOf('u1')).toEqual([]);
    expect(await rig.effects()).toEqual([]);
  });
});

describe('quota', () => {
  it('uses no attempt when the cloud throttles, and blames no gate', async () => {
    rig = await LoopsRig.start({
      settings: { buckets: { CreateContainerGroup: { ratePerSecond: 10, burst: 3 }, '*': null } },
    });
    rig.start();
    const uids = Array.from({ length: 12 }, (_, i) => `u${i}`);
    await Promise.all(uids.map((uid) => rig.runPod(uid)));
    await rig.hurryUntil(
      async () => (await Promise.all(uids.map(life))).every((each) => each === 'running'),
      'all pods run',
      1_000,
    );
    for (const uid of uids) expect(await countOf(uid, 'PlacementChosen')).toBe(1);
    expect((await rig.pool.query('select * from es.gate')).rows).toEqual([]);
    expect(await rig.groups()).toHaveLength(uids.length);
  });

  it('parks the pods of an account that the cloud refuses, and tries with one at a time', async () => {
    rig = await LoopsRig.start({ settings: { account: { arrears: 'Account.Arrearage' } } });
    rig.start();
    for (const uid of ['u1', 'u2', 'u3']) await rig.runPod(uid);
    for (const uid of ['u1', 'u2', 'u3']) await lives(uid, 'parked');
    expect((await rig.state('u1')).parked?.gate).toMatchObject({ kind: 'account', class: 'QUOTA' });
    await rig.simulator.control('PATCH', '/settings', { account: { arrears: false } });
    await rig.hurryUntil(
      async () => (await Promise.all(['u1', 'u2', 'u3'].map(life))).every((each) => each === 'running'),
      'all pods run',
      5_000,
    );
  });
});

describe('an account that cannot be used', () => {
  it.each([
    [
      'its key is not there',
      () => Promise.reject(new CloudAccountUnusable('credential', 'ECI_ACCESS_KEY is not set')),
      /no credential/,
    ],
    [
      'its key is unknown',
      () => Promise.resolve({ accessKeyId: 'LTAInobody', accessKeySecret: 'x' }),
      /InvalidAccessKeyId|AccessKey/i,
    ],
  ])('is said on the pod when %s, and the pod runs once it is mended', async (_, credential, said) => {
    rig = await LoopsRig.start();
    const right = rig.credential;
    rig.credential = credential;
    rig.start();
    await rig.runPod('u1');
    await lives('u1', 'parked');
    const { parked } = await rig.state('u1');
    expect(parked?.gate).toMatchObject({ kind: 'account', class: 'AUTH' });
    expect(`${parked?.reason} ${parked?.message}`).toMatch(said);
    expect(await rig.groups()).toEqual([]);
    rig.credential = right;
    await rig.hurryUntil(async () => (await life('u1')) === 'running', 'the pod runs', 5_000);
  });
});

describe('a mistake of our own on the way to the cloud', () => {
  const mistakes = [RangeError, TypeError, SyntaxError, Error].flatMap((Mistake) =>
    (['account', 'credential'] as const).map((place) => [Mistake.name, place, Mistake] as const),
  );

  it.each(mistakes)('that throws a %s where the %s is read is not said of the account', async (_, place, Mistake) => {
    // given a line that throws what any line may
    rig = await LoopsRig.start();
    let met = 0;
    const broken = (): Promise<never> => {
      met += 1;
      return Promise.reject(new Mistake('a mistake'));
    };
    const right = { account: rig.account, credential: rig.credential };
    rig[place] = broken;
    rig.start();

    // when a pod needs it
    await rig.runPod('u1');
    await rig.hurryUntil(() => met > 3, 'it was tried again', 2_000);

    // then the pod waits as it is, and runs once that is mended
    expect(await countOf('u1', 'Parked')).toBe(0);
    expect((await rig.pool.query('select * from es.gate')).rows).toEqual([]);
    Object.assign(rig, right);
    await rig.hurryUntil(async () => (await life('u1')) === 'running', 'the pod runs', 5_000);
    expect(await countOf('u1', 'Parked')).toBe(0);
  });
});

describe('a region that the account is not for', () => {
  it('rejects the pod, and keeps nobody else from running', async () => {
    rig = await LoopsRig.start();
    rig.regions = ['cn-hangzhou'];
    rig.start();
    const profile = { ...runPodBody('u1').resolved.profile, region: 'cn-beijing' };
    await rig.runPod('u1', { resolved: { profile } });
    await rig.runPod('u2');
    await lives('u1', 'rejected');
    await lives('u2', 'running');
    expect((await rig.state('u1')).end?.message).toMatch(/^profile\.region: .*cn-beijing/);
  });
});

describe('several replicas', () => {
  it('share the work, and make one group for each pod', async () => {
    rig = await LoopsRig.start();
    for (let i = 0; i < 3; i++) rig.start();
    const uids = Array.from({ length: 40 }, (_, i) => `u${i}`);
    await Promise.all(uids.map((uid) => rig.runPod(uid)));
    await Promise.all(uids.slice(0, 20).map((uid) => rig.stopPod(uid)));
    await rig.hurryUntil(
      async () => {
        const states = await Promise.all(uids.map((uid) => rig.state(uid)));
        return states.every((state, i) => (i < 20 ? finalize(state) : lifeOf(state) === 'running'));
      },
      'half of the pods run, and half are gone',
      10_000,
    );
    const groups = await rig.groups();
    const pods = groups.map(({ tags }) => tags['eci-fleet-pod-uid']);
    expect(new Set(pods).size).toBe(pods.length);
    const open = await rig.groups('&open=true');
    expect(open.map(({ tags }) => tags['eci-fleet-pod-uid']).sort()).toEqual(uids.slice(20).sort());
  });
});

describe('what cannot be understood', () => {
  it('is put aside with its reason and its bytes, and the partition moves on', async () => {
    rig = await LoopsRig.start();
    rig.start();
    const { intents } = topics(FLEET);
    const garbage = Buffer.from('{"not":"an envelope"}');
    await rig.messaging.publish(intents, [{ key: 'k1/u1', value: garbage }]);
    await rig.messaging.publish(intents, [{ key: 'nobody/u9', value: garbage }]);
    await rig.runPod('u1');
    await lives('u1', 'running');
    const { rows } = await rig.pool.query('select message_key, reason, original from fleet.quarantine order by id');
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ message_key: expect.any(String), original: garbage });
    expect(rows[0].reason).toMatch(/envelope/);
  });

  it('refuses by its path what can never be stored, and handles its neighbours', async () => {
    rig = await LoopsRig.start();
    const bad: PodOver = { metadata: { labels: { odd: 'a\u0000b' } } };
    await Promise.all([rig.runPod('u1'), rig.runPod('bad', bad), rig.runPod('u2'), rig.runPod('u3')]);
    rig.start();
    for (const uid of ['u1', 'u2', 'u3']) await lives(uid, 'running');
    await eventually(async () => (await rig.history('bad')).includes('PodRejected'), {
      what: 'the bad pod is refused',
    });
    const { rows } = await rig.pool.query<{ field: string }>(
      `select data ->> 'field' as field from es.event where type = 'PodRejected' and stream_id like '%:bad'`,
    );
    expect(rows).toEqual([{ field: 'metadata.labels.odd' }]);
    expect((await rig.pool.query('select from fleet.quarantine')).rowCount).toBe(0);
  });
});

describe('a cluster that sends more than its budget', () => {
  it('is passed over, keeps nobody waiting, and is asked for all that was over', async () => {
    rig = await LoopsRig.start();
    rig.budget = { messagesPerSecond: 2, bytesPerSecond: 10_000_000 };
    await rig.addCluster('k2');
    const asked = new Set<string>();
    const listener = await rig.messaging.consume({
      topics: [topics(FLEET).cluster(CLUSTER)],
      group: 'agent',
      handle: ({ messages }) => {
        for (const { value } of messages) {
          const command = JSON.parse(Buffer.from(value!).toString()) as { name?: string; uids?: string[] };
          if (command.name === 'Recheck') for (const uid of command.uids!) asked.add(uid);
        }
        return Promise.resolve();
      },
    });
    const flood = Array.from({ length: 160 }, (_, n) => `flood-${n}`);
    await Promise.all(flood.map((uid) => rig.stopPod(uid)));
    await rig.send(
      { kind: 'StopPod', uid: 'calm', namespace: 'default', name: 'calm', reason: 'Deleted' },
      {},
      { clusterId: 'k2' },
    );

    rig.start();

    await eventually(async () => (await rig.history('calm', 'k2')).includes('StopRequested'), {
      what: 'the message of the calm cluster is taken',
    });
    const taken = async () => {
      const { rows } = await rig.pool.query<{ stream_id: string }>(`select stream_id from es.stream`);
      return new Set(rows.map((row) => row.stream_id.split(':').at(-1) as string));
    };
    await rig.hurryUntil(
      async () => {
        const here = await taken();
        return flood.every((uid) => here.has(uid) || asked.has(uid));
      },
      'each pod was taken, or is asked for',
      10_000,
    );
    expect((await taken()).size).toBeLessThan(flood.length);
    await eventually(async () => (await rig.pool.query('select from fleet.deferred_intent')).rowCount === 0, {
      what: 'nothing is left to ask for',
    });
    await listener.stop();
  });
});

describe('secrets', () => {
  it('asks for a newer intent when the tokens of a pod age, and runs it with the new ones', async () => {
    rig = await LoopsRig.start();
    rig.start();
    const tokens = (ageMinutes: number) => [
      {
        path: 'api/token',
        issuedAt: new Date(rig.clock.now() - ageMinutes * 60_000).toISOString(),
        expiresAt: new Date(rig.clock.now() + (60 - ageMinutes) * 60_000).toISOString(),
      },
    ];
    await rig.runPod('u1', { resolved: { tokens: tokens(45) }, sealed: { tokens: { 'api/token': 'old' } } });
    await eventually(
      async () =>
        (await rig.said()).some(({ value }) => value?.['name'] === 'Refresh' && String(value['uids']).includes('u1')),
      { what: 'the agent is asked' },
    );
    expect(await rig.requests('CreateContainerGroup')).toEqual([]);

    await rig.runPod('u1', { resolved: { tokens: tokens(0) }, sealed: { tokens: { 'api/token': 'new' } } });
    await lives('u1', 'running');
    expect(await rig.history('u1')).toContain('PodIntentRefreshed');
    expect(await rig.effects()).toEqual([]);
  });

  it('are renewed for a pod whose image was changed while it waited, and it runs as it was accepted', async () => {
    rig = await LoopsRig.start();
    rig.start();
    const tokens = (issuedAgoMs: number) => [
      {
        path: 'api/token',
        issuedAt: new Date(rig.clock.now() - issuedAgoMs).toISOString(),
        expiresAt: new Date(rig.clock.now() - issuedAgoMs + 3_600_000).toISOString(),
      },
    ];
    await rig.runPod('u1', {
      container: { image: 'nginx:1' },
      resolved: { tokens: tokens(3_000_000) },
      sealed: { tokens: { 'api/token': 'old' } },
    });
    await eventually(async () => (await rig.said()).some(({ value }) => value?.['name'] === 'Refresh'), {
      what: 'the agent is asked',
    });

    await rig.runPod('u1', {
      container: { image: 'nginx:2' },
      resolved: { tokens: tokens(0) },
      sealed: { tokens: { 'api/token': 'new' } },
    });

    await lives('u1', 'running');
    expect(await rig.history('u1')).toEqual(expect.arrayContaining(['PodChangeRefused', 'PodIntentRefreshed']));
    const [create] = await rig.requests('CreateContainerGroup');
    expect(JSON.stringify(create)).toContain('nginx:1');
    expect(JSON.stringify(create)).not.toContain('nginx:2');
  });

  it('lie nowhere in clear', async () => {
    rig = await LoopsRig.start({ faults: [{ kind: 'html-503', action: 'CreateContainerGroup', count: 1 }] });
    rig.start();
    const secret = 'canary-0d2f7f';
    const body = runPodBody('u1', { container: { env: [{ name: 'PASSWORD', value: '' }] } });
    await rig.send(body, sealedHalf({ env: { 'containers/main/0': secret } }));
    // with the frozen request at rest between two calls
    await eventually(async () => (await countOf('u1', 'CreateOutcomeUnknown')) === 1, {
      what: 'the outcome is unknown',
    });
    for (const table of ['es.event', 'es.effect', 'es.sealed', 'fleet.quarantine']) {
      const { rows } = await rig.pool.query(`select t::text as text from ${table} t`);
      for (const { text } of rows) {
        expect(text).not.toContain(secret);
        expect(text).not.toContain(Buffer.from(secret).toString('hex'));
      }
    }
    await rig.hurryUntil(async () => (await life('u1')) === 'running', 'the pod runs', 2_000);
  });
});
