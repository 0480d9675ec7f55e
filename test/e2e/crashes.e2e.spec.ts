import { eventually } from '#libs/testing';
import { SeededRandom } from '#libs/runtime';
import { beforeAll, describe, expect, it } from 'vitest';
import { BlockedAppends } from './support/blocked-appends.ts';
import { useFleet } from './support/fleet.ts';
import { exhaustCreates, restoreCreates } from './support/lanes.ts';
import type { KubernetesObject } from './support/pods.ts';

// A killed control plane leaves its claims behind for a minute; those points are all reached first, then their ends are awaited together.
const CLAIM_ENDS_MS = 120_000;

const fleet = useFleet();

/** Sent to the node by its own fields: the webhook is down while the agent is. */
function pod(name: string): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeSelector: { type: 'virtual-kubelet' },
      tolerations: [{ key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'nginx' }],
    },
  };
}

/** Makes a pod and returns its UID once it is bound. */
async function run(name: string): Promise<string> {
  await fleet.pods.apply(pod(name));
  const bound = await fleet.pods.until(name, 'is bound', ({ spec }) => spec.nodeName);
  return bound.metadata.uid;
}

/** Waits until the intent is in the stream, and nothing else. */
function untilAccepted(uid: string): Promise<unknown> {
  return eventually(async () => (await fleet.history(uid)).at(-1)?.type === 'PodIntentAccepted', {
    what: 'the intent is appended',
  });
}

/** Waits until the cloud has received a create for the pod. */
function untilOnTheWire(uid: string, executed: boolean): Promise<unknown> {
  return eventually(
    async () => (await fleet.simulator.createsOf(uid)).some(({ outcome }) => (outcome?.executed ?? false) === executed),
    { what: `a create of pod ${uid} is on the wire${executed ? ' and took effect' : ''}`, everyMs: 20 },
  );
}

/** Ways to be in the middle of something: each makes a pod, brings the control plane to the point, and says what to undo once it is dead. */
const POINTS: Record<string, (name: string) => Promise<{ uid: string; undo: () => Promise<void> }>> = {
  'before the intent is appended': async (name) => {
    const blocked = await BlockedAppends.begin(fleet.database);
    const uid = await run(name);
    await blocked.untilWaiting('intake waits to append');
    return { uid, undo: () => blocked.discardAndRelease() };
  },
  'after the intent is appended': async (name) => {
    await exhaustCreates(fleet.database);
    const uid = await run(name);
    await untilAccepted(uid);
    return { uid, undo: () => restoreCreates(fleet.database) };
  },
  'when the effect is claimed': async (name) => {
    await exhaustCreates(fleet.database);
    const uid = await run(name);
    await untilAccepted(uid);
    const blocked = await BlockedAppends.begin(fleet.database);
    await restoreCreates(fleet.database);
    await blocked.untilWaiting('the choice of a place waits to be appended');
    const { rows } = await fleet.database.query(`select kind, claim_id from es.effect where stream_id = $1`, [
      `container_group:${fleet.clusterId}:${uid}`,
    ]);
    expect(rows).toEqual([{ kind: 'Place', claim_id: expect.any(String) }]);
    return { uid, undo: () => blocked.discardAndRelease() };
  },
  'when the call is on the wire and has not taken effect yet': async (name) => {
    await fleet.simulator.fault({
      kind: 'delay',
      action: 'CreateContainerGroup',
      when: 'before',
      delayMs: 5_000,
      count: 1,
    });
    const uid = await run(name);
    await untilOnTheWire(uid, false);
    return { uid, undo: () => Promise.resolve() };
  },
  'when the call took effect and its answer is on the wire': async (name) => {
    await fleet.simulator.fault({
      kind: 'delay',
      action: 'CreateContainerGroup',
      when: 'after',
      delayMs: 5_000,
      count: 1,
    });
    const uid = await run(name);
    await untilOnTheWire(uid, true);
    return { uid, undo: () => Promise.resolve() };
  },
  'when the answer was lost on the wire': async (name) => {
    await fleet.simulator.fault({ kind: 'lost-answer', action: 'CreateContainerGroup', lost: 'silence', count: 1 });
    const uid = await run(name);
    await untilOnTheWire(uid, true);
    return { uid, undo: () => Promise.resolve() };
  },
  'when the call was answered and its outcome is not recorded': async (name) => {
    await fleet.simulator.fault({
      kind: 'delay',
      action: 'CreateContainerGroup',
      when: 'after',
      delayMs: 1_500,
      count: 1,
    });
    const uid = await run(name);
    await untilOnTheWire(uid, true);
    const blocked = await BlockedAppends.begin(fleet.database);
    await blocked.untilWaiting('the outcome waits to be appended');
    return { uid, undo: () => blocked.discardAndRelease() };
  },
};

describe('a control plane that is killed', () => {
  const killed = new Map<string, string>();
  const names = Object.keys(POINTS).map((point, index) => [point, `crash-${index + 1}`] as const);

  beforeAll(async () => {
    // The first pod makes the lane that others find exhausted.
    await run('first');
    await fleet.pods.untilPhase('first', 'Running');
    for (const [point, name] of names) {
      const { uid, undo } = await POINTS[point]!(name);
      killed.set(name, uid);
      await fleet.controlPlane.kill9();
      await undo();
      await fleet.controlPlane.start();
      if (!point.startsWith('when')) await fleet.pods.untilPhase(name, 'Running');
    }
  });

  it.each(names)('%s leaves exactly one container group, and the pod runs', async (_point, name) => {
    const { metadata, status } = await fleet.pods.untilPhase(name, 'Running', { deadlineMs: CLAIM_ENDS_MS });

    expect(metadata.uid).toBe(killed.get(name));
    const groups = await fleet.simulator.groupsOf(metadata.uid);
    expect(groups).toMatchObject([{ status: 'Running', ip: status.podIP }]);
    expect((await fleet.simulator.createsOf(metadata.uid)).map(({ clientToken }) => clientToken)).toEqual(
      expect.arrayContaining([groups[0]!.clientToken]),
    );
    const types = (await fleet.untilHistory(metadata.uid, 'ContainerGroupLanded')).map(({ type }) => type);
    for (const one of [['PodIntentAccepted'], ['PlacementChosen'], ['ContainerGroupCreated', 'Adopted']])
      expect(
        types.filter((type) => one.includes(type)),
        types.join(),
      ).toHaveLength(1);
  });

  it('answers a delete as before', async () => {
    const names = (await fleet.pods.list()).map(({ metadata }) => metadata.name);
    await fleet.pods.kubectl('delete', 'pod', ...names, '--wait=true', '--timeout=90s');
    await eventually(async () => (await fleet.simulator.groups({ open: 'true' })).length === 0, {
      what: 'no group is open',
    });
  });
});

describe('a control plane that is paused', () => {
  it('with a claim in hand, and is replaced meanwhile, does nothing more with it', async () => {
    // given a replica that stands still between its choice of a place and the call
    await exhaustCreates(fleet.database);
    const uid = await run('paused');
    await untilAccepted(uid);
    const blocked = await BlockedAppends.begin(fleet.database);
    await restoreCreates(fleet.database);
    await blocked.untilWaiting('the choice of a place waits to be appended');
    fleet.controlPlane.pause();
    await blocked.release();

    // when another one finds its claims ended
    const replica = await fleet.startReplica();
    const { status } = await fleet.pods.untilPhase('paused', 'Running', { deadlineMs: CLAIM_ENDS_MS });

    // then the first one wakes up to work that is not its own any more
    fleet.controlPlane.resume();
    await fleet.controlPlane.untilReady();
    await run('after-pause');
    await fleet.pods.untilPhase('after-pause', 'Running');
    await replica.stop();
    await run('after-replica');
    await fleet.pods.untilPhase('after-replica', 'Running');
    expect(await fleet.simulator.createsOf(uid)).toHaveLength(1);
    expect(await fleet.simulator.groupsOf(uid)).toMatchObject([{ status: 'Running', ip: status.podIP }]);
  });
});

describe('an agent that is killed', () => {
  it('at any time leaves every pod as it should be, and no group twice', async () => {
    // given twenty pods that come, and every other one that goes again, while the agent dies again and again
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = new SeededRandom(seed);
    const between = (from: number, to: number): number => from + Math.floor(random.next() * (to - from));
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const names = Array.from({ length: 20 }, (_, index) => `churn-${index}`);
    const leaving = names.filter((_, index) => index % 2 === 1);
    const uids = new Map<string, string>();
    const coming = (async () => {
      for (const name of names) {
        await pause(between(50, 500));
        await fleet.pods.apply(pod(name));
        uids.set(name, (await fleet.pods.get(name)).metadata.uid);
      }
    })();
    const going = (async () => {
      for (const name of leaving) {
        await eventually(() => uids.has(name), { what: `pod ${name} was made`, deadlineMs: 60_000 });
        await pause(between(0, 800));
        await fleet.pods.kubectl('delete', 'pod', name, '--wait=false');
      }
    })();
    let over = false;
    const dying = (async () => {
      while (!over) {
        await pause(between(200, 2_500));
        await fleet.agent.kill9();
        await fleet.agent.start();
      }
    })();

    // when all have come and gone, and the agent is left in peace
    await Promise.all([coming, going]).finally(() => (over = true));
    await dying;

    // then those that stay run, those that went are gone, and there was never more than one group of a pod
    const said = `seed ${seed}`;
    for (const name of names) {
      const uid = uids.get(name)!;
      if (leaving.includes(name)) {
        await fleet.pods.untilGone(name, { deadlineMs: 90_000 });
        const groups = await fleet.simulator.groupsOf(uid);
        expect(
          groups.filter(({ status }) => status !== 'Gone'),
          `${said}: groups of ${name}`,
        ).toEqual([]);
        expect(groups.length, `${said}: groups of ${name}`).toBeLessThanOrEqual(1);
      } else {
        const { status } = await fleet.pods.untilPhase(name, 'Running', { deadlineMs: 90_000 });
        expect(await fleet.simulator.groupsOf(uid), `${said}: groups of ${name}`).toMatchObject([
          { status: 'Running', ip: status.podIP },
        ]);
      }
    }
  });
});
