import { eventually } from '#libs/testing';
import { describe, expect, it } from 'vitest';
import { useFleet } from './support/fleet.ts';
import type { KubernetesObject } from './support/pods.ts';

// Groups go at once, so that nobody sees how their containers end.
const fleet = useFleet({
  simulator: {
    scenario: {
      settings: {
        latencies: {
          factor: 1,
          schedulingMs: [100, 200],
          pullingMs: [100, 200],
          pullingCachedMs: [100, 200],
          terminatingMs: [0, 0],
          stopMs: 0,
        },
      },
    },
  },
});
const eci = { 'alibabacloud.com/eci': 'true' };
const runs = { name: 'main', image: 'busybox', command: ['sh', '-c', 'sleep 600'] };

const job = (name: string, spec: Record<string, unknown>): KubernetesObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: {
    ...spec,
    template: {
      metadata: { labels: { ...eci, app: name } },
      spec: { restartPolicy: 'Never', terminationGracePeriodSeconds: 1, containers: [runs] },
    },
  },
});
const pod = (name: string, { finalizers = [], ...spec }: Record<string, unknown> = {}): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: eci, finalizers },
  spec: { terminationGracePeriodSeconds: 1, containers: [runs], ...spec },
});

const HELD = { finalizers: ['example.com/held'] };
const release = (name: string): Promise<string> =>
  fleet.pods.kubectl('patch', 'pod', name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}');
const remove = (name: string, ...more: string[]): Promise<string> =>
  fleet.pods.kubectl('delete', 'pod', name, '--wait=false', ...more);

/** The one pod of a Job that runs and is not `but`. */
const runningPodOf = (name: string, but?: string): Promise<KubernetesObject> =>
  eventually(
    async () => {
      const pods = await fleet.pods.list(`app=${name}`);
      const found = pods.find(
        ({ metadata, status }) =>
          status.phase === 'Running' && metadata.deletionTimestamp === undefined && metadata.uid !== but,
      );
      if (found) return found;
      throw new Error(`there is ${JSON.stringify(pods.map(({ metadata, status }) => [metadata.name, status.phase]))}`);
    },
    { what: `a pod of job ${name} runs`, deadlineMs: 90_000, everyMs: 200 },
  );

const conditionOf = (object: KubernetesObject, type: string): KubernetesObject =>
  (object.status.conditions ?? []).find((condition: { type: string }) => condition.type === type);
const untilJob = (name: string, type: string): Promise<KubernetesObject> =>
  eventually(
    async () => {
      const found = await fleet.pods.cluster.api.call('GET', `/apis/batch/v1/namespaces/default/jobs/${name}`);
      if (conditionOf(found, type)?.status === 'True') return found;
      throw new Error(`its status is ${JSON.stringify(found.status)}`);
    },
    { what: `job ${name} is ${type}`, deadlineMs: 90_000, everyMs: 200 },
  );
const exitOf = ({ status }: KubernetesObject) => status.containerStatuses[0].state.terminated;

const POLICY = {
  rules: [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] },
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [137] } },
  ],
};

describe('the end of a deleted pod', () => {
  it('lets a Job that waits for it make its replacement', async () => {
    await fleet.pods.apply(job('replaced', { podReplacementPolicy: 'Failed' }));
    const first = await runningPodOf('replaced');

    await remove(first.metadata.name);

    await runningPodOf('replaced', first.metadata.uid);
    await fleet.pods.untilGone(first.metadata.name);
  });

  it('lets a Job that waits for it make its replacement after a forced delete', async () => {
    await fleet.pods.apply(job('forced', { podReplacementPolicy: 'Failed' }));
    const first = await runningPodOf('forced');

    await remove(first.metadata.name, '--force', '--grace-period=0');

    await runningPodOf('forced', first.metadata.uid);
    await fleet.pods.untilGone(first.metadata.name);
  });

  it('fails a Job by the exit code of containers whose end nobody saw', async () => {
    await fleet.pods.apply(job('by-code', { podFailurePolicy: POLICY }));
    const first = await runningPodOf('by-code');

    await remove(first.metadata.name);

    const failed = await untilJob('by-code', 'Failed');
    expect(conditionOf(failed, 'Failed')).toMatchObject({ reason: 'PodFailurePolicy' });
    expect(conditionOf(failed, 'Failed').message).toContain('137');
  });

  it('is not counted by a Job that ignores disruptions', async () => {
    await fleet.pods.apply(job('evicted', { podFailurePolicy: POLICY, backoffLimit: 0 }));
    const first = await runningPodOf('evicted');

    await fleet.pods.cluster.api.call('POST', `/api/v1/namespaces/default/pods/${first.metadata.name}/eviction`, {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: first.metadata.name, namespace: 'default' },
    });

    await runningPodOf('evicted', first.metadata.uid);
  });

  it('is told also when a finalizer keeps the object, and the codes that were seen are kept', async () => {
    await fleet.simulator.control('PATCH', '/latencies', { stopMs: 100, terminatingMs: [4_000, 4_000] });
    await fleet.pods.apply(pod('held', HELD));
    await fleet.pods.untilPhase('held', 'Running');

    await remove('held');

    const held = await fleet.pods.untilPhase('held', 'Failed');
    expect(exitOf(held)).toMatchObject({ exitCode: 143 });
    expect(conditionOf(held, 'Ready')).toMatchObject({ status: 'False' });
    await release('held');
    await fleet.pods.untilGone('held');
    await fleet.simulator.control('PATCH', '/latencies', { stopMs: 0, terminatingMs: [0, 0] });
  });

  it.each([
    [
      'waits for a Secret',
      pod('unsent', { ...HELD, containers: [{ ...runs, envFrom: [{ secretRef: { name: 'nowhere' } }] }] }),
    ],
    ['is rejected', pod('rejected', { ...HELD, hostNetwork: true })],
    ['is rejected and would be replaced', pod('refused', { ...HELD, hostNetwork: true, restartPolicy: 'Never' })],
  ])('comes to a pod that %s', async (_, object) => {
    const { name } = object.metadata;
    await fleet.pods.apply(object);
    await fleet.pods.until(name, 'is bound', ({ spec }) => spec.nodeName !== undefined);

    await remove(name);

    const ended = await fleet.pods.untilPhase(name, 'Failed');
    expect(ended.status.containerStatuses[0].state.waiting).toBeDefined();
    await release(name);
    await fleet.pods.untilGone(name);
  });

  it('comes to a pod that is deleted as soon as it is made', async () => {
    await fleet.pods.apply(pod('brief', HELD));

    await remove('brief');

    await fleet.pods.untilPhase('brief', 'Failed');
    await release('brief');
    await fleet.pods.untilGone('brief');
  });

  it('keeps what a finished pod said', async () => {
    await fleet.pods.apply(
      pod('done', { ...HELD, restartPolicy: 'Never', containers: [{ ...runs, command: ['sh', '-c', 'echo done'] }] }),
    );
    await fleet.pods.untilPhase('done', 'Succeeded');

    await remove('done');

    await fleet.untilHistory((await fleet.pods.get('done')).metadata.uid, 'StopRequested');
    expect((await fleet.pods.get('done')).status.phase).toBe('Succeeded');
    await release('done');
    await fleet.pods.untilGone('done');
  });
});
