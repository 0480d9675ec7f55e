import { isDeepStrictEqual } from 'node:util';
import { eventually, type TestProcess } from '#libs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useFleet } from './support/fleet.ts';
import { PodWatcher } from './support/pod-watcher.ts';
import type { KubernetesObject } from './support/pods.ts';

// Each role is a process of its own, so that each can be killed alone.
const fleet = useFleet({ controlPlane: { FLEET_ROLES: 'api' } });
const ROLES = ['intake', 'effects', 'observe', 'publish', 'project'] as const;
const eci = { 'alibabacloud.com/eci': 'true' };

const pod = (name: string, spec: Record<string, unknown> = {}): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: eci },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', 'sleep 36000'] }],
    ...spec,
  },
});
const ending = (code: number) => ({
  restartPolicy: 'Never',
  containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', `sleep 1; exit ${code}`] }],
});
const stuck = { initContainers: [{ name: 'prepare', image: 'busybox', command: ['sh', '-c', 'exit 1'] }] };

const PODS: Readonly<Record<string, readonly [phase: string, spec: Record<string, unknown>]>> = {
  ...Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`runs-${index}`, ['Running', {}] as const])),
  'is-done': ['Succeeded', ending(0)],
  'has-failed': ['Failed', ending(3)],
  'is-stuck': ['Pending', stuck],
};

/** What a status says of the containers of a pod and where it is, in the order of its lists. */
function shownOf(object: KubernetesObject): unknown {
  const { podIP, containerStatuses = [], initContainerStatuses = [] } = object.status;
  return { podIP, restarts: [...containerStatuses, ...initContainerStatuses].map(({ restartCount }) => restartCount) };
}

/** The same of the newest that the control plane has recorded of the pod's group. */
async function recordedOf(uid: string): Promise<unknown> {
  const { data } = (await fleet.history(uid)).findLast(({ type }) => type === 'ContainersChanged')!;
  const { podIp, containers, initContainers } = data;
  return {
    podIP: podIp,
    restarts: [...containers, ...initContainers].map(({ restartCount }: { restartCount: number }) => restartCount),
  };
}

/** The agent writes again, what it read included: a new pod comes to run through all of the fleet. */
let proofs = 0;
async function untilAllGoesOn(): Promise<void> {
  const name = `proof-${++proofs}`;
  await fleet.pods.apply(pod(name));
  await fleet.pods.untilPhase(name, 'Running', { deadlineMs: 120_000 });
}

describe('whoever watches the pods, while every process is killed and started', () => {
  const processes = new Map<string, TestProcess>();
  let watcher: PodWatcher;

  beforeAll(async () => {
    for (const role of ROLES) processes.set(role, await fleet.startReplica({ FLEET_ROLES: role }));
    await fleet.pods.apply(...Object.entries(PODS).map(([name, [, spec]]) => pod(name, spec)));
    for (const [name, [phase]] of Object.entries(PODS))
      await fleet.pods.untilPhase(name, phase, { deadlineMs: 120_000 });
    await fleet.pods.until('is-stuck', 'has an init container that fails again and again', ({ status }) =>
      (status.initContainerStatuses ?? []).some(
        ({ state, lastState }: KubernetesObject) => state.terminated ?? lastState?.terminated,
      ),
    );
    watcher = new PodWatcher(fleet.pods.cluster);
    await watcher.start();
  });
  afterAll(() => watcher?.stop());

  it.each([1, 2, 3])('sees nothing go back when the agent dies, time %i', async () => {
    await fleet.agent.kill9();
    await fleet.agent.start();
    await untilAllGoesOn();

    expect(watcher.takeObjections()).toEqual([]);
  });

  it.each(['api', ...ROLES])('sees nothing go back when the process with the role %s dies', async (role) => {
    const one = processes.get(role) ?? fleet.controlPlane;
    await one.kill9();
    await one.start();
    await untilAllGoesOn();

    expect(watcher.takeObjections()).toEqual([]);
  });

  it.each(Object.keys(PODS))('sees the newest status of %s', async (name) => {
    const [phase] = PODS[name]!;
    await eventually(
      async () => {
        const object = await fleet.pods.get(name);
        const [shown, recorded] = [shownOf(object), await recordedOf(object.metadata.uid)];
        if (isDeepStrictEqual(shown, recorded)) return true;
        throw new Error(`it shows ${JSON.stringify(shown)}, and recorded is ${JSON.stringify(recorded)}`);
      },
      { what: `pod ${name} shows the newest status`, deadlineMs: 30_000, everyMs: 200 },
    );
    expect((await fleet.pods.get(name)).status.phase).toBe(phase);
  });
});
