import { eventually } from '#libs/testing';
import { describe, expect, it } from 'vitest';
import { useFleet } from './support/fleet.ts';
import type { KubernetesObject } from './support/pods.ts';

const fleet = useFleet();
const eci = { 'alibabacloud.com/eci': 'true' };

interface JobOptions {
  readonly command: string;
  readonly restartPolicy?: 'Never' | 'OnFailure';
  readonly spec?: Record<string, unknown>;
}

function jobSpec(name: string, { command, restartPolicy = 'Never', spec = {} }: JobOptions): KubernetesObject {
  return {
    ...spec,
    template: {
      metadata: { labels: { ...eci, app: name } },
      spec: { restartPolicy, containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', command] }] },
    },
  };
}

const job = (name: string, options: JobOptions): KubernetesObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: jobSpec(name, options),
});

const read = (path: string): Promise<KubernetesObject> => fleet.pods.cluster.api.call('GET', path);

function untilJob(name: string, condition: 'Complete' | 'Failed'): Promise<KubernetesObject> {
  return eventually(
    async () => {
      const found = await read(`/apis/batch/v1/namespaces/default/jobs/${name}`);
      const has = found.status.conditions?.some(
        ({ type, status }: { type: string; status: string }) => type === condition && status === 'True',
      );
      if (has) return found;
      throw new Error(`its status is ${JSON.stringify(found.status)}`);
    },
    { what: `job ${name} is ${condition}`, deadlineMs: 90_000, everyMs: 200 },
  );
}

describe('workloads', () => {
  it('keeps a Deployment at its replicas', async () => {
    // given a Deployment with three replicas that are ready
    await fleet.pods.apply({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { ...eci, app: 'web' } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
              { name: 'nginx', image: 'nginx:1.27', resources: { requests: { cpu: '500m', memory: '1Gi' } } },
            ],
          },
        },
      },
    });
    await fleet.pods.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const before = await fleet.pods.list('app=web');
    expect(new Set(before.map(({ status }) => status.podIP)).size).toBe(3);

    // when one of its pods is deleted
    const victim = before[0]!;
    await fleet.pods.kubectl('delete', 'pod', victim.metadata.name, '--wait=true', '--timeout=60s');

    // then another takes its place, and its group is gone
    await eventually(
      async () => {
        const now = await fleet.pods.list('app=web');
        const running = now.filter(({ status }) => status.phase === 'Running');
        return running.length === 3 && !running.some(({ metadata }) => metadata.uid === victim.metadata.uid);
      },
      { what: 'three replicas run again', deadlineMs: 60_000 },
    );
    expect(await fleet.simulator.groupsOf(victim.metadata.uid)).toMatchObject([{ status: 'Gone' }]);

    // when it is scaled to nothing, then no group of it is open
    await fleet.pods.kubectl('scale', 'deployment/web', '--replicas=0');
    await eventually(async () => (await fleet.pods.list('app=web')).length === 0, {
      what: 'all replicas are gone',
      deadlineMs: 60_000,
    });
    expect(await fleet.simulator.groups({ open: 'true', 'tag.eci-fleet-namespace': 'default' })).toEqual([]);
  });

  it('completes a Job of several pods', async () => {
    await fleet.pods.apply(job('three', { command: 'echo done', spec: { completions: 3, parallelism: 2 } }));

    const done = await untilJob('three', 'Complete');

    expect(done.status.succeeded).toBe(3);
    const pods = await fleet.pods.list('app=three');
    expect(pods).toHaveLength(3);
    for (const { status, metadata } of pods) {
      expect(status.phase).toBe('Succeeded');
      expect(status.containerStatuses[0].state.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
      expect(await fleet.simulator.groupsOf(metadata.uid)).toHaveLength(1);
    }
  });

  it('lets a Job fail whose pod fails twice', async () => {
    await fleet.pods.apply(job('twice', { command: 'exit 3', spec: { backoffLimit: 1 } }));

    const failed = await untilJob('twice', 'Failed');

    expect(failed.status.failed).toBe(2);
    const pods = await fleet.pods.list('app=twice');
    expect(pods).toHaveLength(2);
    for (const { status, metadata } of pods) {
      expect(status.phase).toBe('Failed');
      expect(status.containerStatuses[0].state.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
      // A container that fails is the Job's to repeat, in a new pod: never a second group of ours.
      expect(await fleet.simulator.groupsOf(metadata.uid)).toHaveLength(1);
    }
  });

  it('restarts a container in its group under restartPolicy OnFailure', async () => {
    // given a container that fails twice and then succeeds
    await fleet.simulator.behave({
      match: { container: 'main', image: 'flaky' },
      runs: [
        { runMs: 100, exitCode: 1 },
        { runMs: 100, exitCode: 1 },
        { runMs: 100, exitCode: 0 },
      ],
    });
    const flaky = job('flaky', { command: 'true', restartPolicy: 'OnFailure' });
    flaky.spec.template.spec.containers[0].image = 'flaky';

    await fleet.pods.apply(flaky);

    await untilJob('flaky', 'Complete');
    const [pod, ...others] = await fleet.pods.list('app=flaky');
    expect(others).toEqual([]);
    expect(pod.status.phase).toBe('Succeeded');
    expect(pod.status.containerStatuses[0].restartCount).toBe(2);
    expect(await fleet.simulator.groupsOf(pod.metadata.uid)).toHaveLength(1);
  });

  it('runs what a CronJob makes, at its time and by hand', async () => {
    // given a CronJob that is due every minute
    await fleet.pods.apply({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'tick' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: jobSpec('tick', { command: 'date' }) } },
    });

    // when somebody does not want to wait
    await fleet.pods.kubectl('create', 'job', 'tick-now', '--from=cronjob/tick');
    await untilJob('tick-now', 'Complete');

    // then the next minute brings one of its own
    const scheduled = await eventually(
      async () => {
        const { items } = await read('/apis/batch/v1/namespaces/default/jobs');
        return items.find(({ metadata }: KubernetesObject) => /^tick-\d+$/.test(metadata.name));
      },
      { what: 'the CronJob has made a Job', deadlineMs: 75_000, everyMs: 500 },
    );
    await untilJob(scheduled.metadata.name, 'Complete');
    await fleet.pods.kubectl('delete', 'cronjob', 'tick');
  });

  it('keeps a finished pod that ECI has forgotten, until somebody deletes it', async () => {
    // given a Job that is done
    await fleet.pods.apply(job('forgotten', { command: 'echo done' }));
    await untilJob('forgotten', 'Complete');
    const [pod] = await fleet.pods.list('app=forgotten');
    await fleet.untilHistory(pod.metadata.uid, 'ContainerGroupSucceeded');

    // when ECI forgets its group
    const [group] = await fleet.simulator.groupsOf(pod.metadata.uid);
    await fleet.simulator.control('PATCH', '/settings', { retention: { finalLast: 0 } });
    await fleet.simulator.control('PATCH', '/clock', { advanceMs: 7_200_000 });
    await eventually(
      async () => (await fleet.simulator.groups({ id: group!.containerGroupId }))[0]!.status === 'Gone',
      { what: 'ECI has forgotten the group' },
    );
    const other = job('witness', { command: 'echo done' });
    await fleet.pods.apply(other);
    await untilJob('witness', 'Complete');

    // then the pod stays as it was, and no group is made anew
    const still = await fleet.pods.get(pod.metadata.name);
    expect(still.metadata.uid).toBe(pod.metadata.uid);
    expect(still.metadata.deletionTimestamp).toBeUndefined();
    expect(still.status.phase).toBe('Succeeded');
    expect(await fleet.simulator.groupsOf(pod.metadata.uid)).toHaveLength(1);

    // and deleting it works at once
    await fleet.pods.kubectl('delete', 'pod', pod.metadata.name, '--wait=true', '--timeout=60s');
    await fleet.untilHistory(pod.metadata.uid, 'PodObjectGone');
  });
});
