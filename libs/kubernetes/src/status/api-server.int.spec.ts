/** The statuses that we write, before a real API server and its validation; and pods as it gives them, before the mapping. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fold, type JsonObject, type NewContainerGroupEvent } from '#libs/domain';
import { PodsWithoutKubelet, sharedKubernetes } from '#libs/testing';
import { mapPod, podFactsOf } from '../mapping/index.ts';
import { base64, resolvedOf, sealedOf } from '../../spec/pod-samples.ts';
import type { RunPod } from '#libs/contracts';
import { podStatusOf } from './pod-status.ts';
import type { PodStatus } from './pod-status-shape.ts';
import {
  accepted,
  chosen,
  container,
  created,
  landed,
  refusedFor,
  running,
  seen,
  stopRequested,
  stream,
} from '../../spec/status-samples.ts';

let pods: PodsWithoutKubelet;

beforeAll(async () => {
  pods = await PodsWithoutKubelet.in(await sharedKubernetes());
});
afterAll(() => pods?.close());

async function createPod(name: string, spec: object): Promise<RunPod['pod']> {
  const { metadata, spec: completed } = await pods.create(name, spec);
  const { uid, resourceVersion } = metadata;
  return { uid, namespace: pods.namespace, name, resourceVersion, phase: 'Pending', metadata, spec: completed };
}

const exit = (exitCode: number) =>
  ({
    state: 'terminated',
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    startedAt: '2026-11-23T10:00:30Z',
    finishedAt: '2026-11-23T10:01:00Z',
  }) as const;
const ended = (exitCode: number) => [
  container('web', { ready: false, state: exit(exitCode) }),
  container('side', { ready: false, state: exit(0) }),
];

const LIVES: Record<string, { restartPolicy: 'Always' | 'OnFailure' | 'Never'; events: NewContainerGroupEvent[] }> = {
  'a pod that runs, restarts and is deleted': {
    restartPolicy: 'Always',
    events: [
      chosen(1),
      refusedFor('STOCK_OUT', 1),
      chosen(2),
      created(2),
      ...[
        seen('Scheduling'),
        seen('Pending', { initContainers: [container('init', { ready: false })] }),
        running({ initContainers: [container('init', { ready: true, state: exit(0) })] }),
        running({
          containers: [
            container('web', {
              restartCount: 1,
              ready: false,
              state: { state: 'waiting', reason: 'CrashLoopBackOff' },
              lastState: exit(1),
            }),
            container('side'),
          ],
        }),
        seen('Restarting'),
        running(),
      ].map((event) => ({ ...event, data: { ...event.data, containerGroupId: 'eci-2' } }) as NewContainerGroupEvent),
      stopRequested,
      { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-2', evidence: 'read' } },
    ],
  },
  'a Job’s pod that succeeds': {
    restartPolicy: 'Never',
    events: [
      chosen(),
      created(),
      landed,
      running(),
      seen('Succeeded', { containers: ended(0) }),
      { type: 'ContainerGroupSucceeded', data: { containerGroupId: 'eci-1' } },
    ],
  },
  'a Job’s pod that fails': {
    restartPolicy: 'Never',
    events: [
      chosen(),
      created(),
      running(),
      seen('Failed', { containers: ended(1) }),
      { type: 'ContainerGroupFailed', data: { containerGroupId: 'eci-1', reason: 'Error', message: '' } },
    ],
  },
  'a pod whose group vanishes': {
    restartPolicy: 'OnFailure',
    events: [
      chosen(),
      created(),
      running(),
      {
        type: 'ContainerGroupFailed',
        data: { containerGroupId: 'eci-1', reason: 'OutcomeUnknown', message: 'not seen any more' },
      },
    ],
  },
  'a rejected pod': {
    restartPolicy: 'Always',
    events: [{ type: 'PodRejected', data: { field: 'spec.hostNetwork', reason: 'no host network' } }],
  },
};

describe('a real API server', () => {
  it.each(Object.entries(LIVES))('takes every status of %s as it is', async (what, { restartPolicy, events }) => {
    const resources = { limits: { cpu: '1', memory: '1Gi' } };
    const pod = await createPod(`life-${Object.keys(LIVES).indexOf(what)}`, {
      restartPolicy,
      initContainers: [{ name: 'init', image: 'busybox', resources }],
      containers: [
        { name: 'web', image: 'nginx:1.27', resources },
        { name: 'side', image: 'busybox', resources },
      ],
    });
    const path = `${pods.pathOf(pod.name)}/status`;
    const intent = accepted({ pod: podFactsOf(pod), clearPod: { spec: pod.spec as JsonObject } });
    for (let length = 1; length <= events.length + 1; length++) {
      const status = podStatusOf(fold(stream(intent, ...events).slice(0, length))) as unknown as PodStatus;
      const answer = await pods.api.ask('PATCH', path, { metadata: { uid: pod.uid }, status });
      expect(answer.body.message).toBeUndefined();
      expect(answer.status).toBe(200);
      // What is read back is what was written: no field is unknown, rounded or corrected.
      expect(answer.body.status).toMatchObject(status);
    }
    expect((await pods.api.call('GET', path)).status.qosClass).toBe('Guaranteed');
  });

  it('gives pods that the mapping understands, with the token volume it injects', async () => {
    const pod = await createPod('plain', {
      containers: [{ name: 'web', image: 'nginx', livenessProbe: { httpGet: { path: '/', port: 80 } } }],
    });
    const volume = (pod.spec['volumes'] as { name: string }[])[0]!.name;
    const result = mapPod({
      accountId: 'default',
      pod,
      resolved: resolvedOf(),
      sealed: sealedOf({ tokens: { [`${volume}/token`]: 'T' } }),
    });
    expect(result).toMatchObject({
      ok: true,
      spec: {
        volumes: [
          {
            name: volume,
            defaultMode: 420,
            files: [
              { path: 'token', content: base64('T') },
              { path: 'ca.crt' },
              { path: 'namespace', content: base64(pods.namespace) },
            ],
          },
        ],
      },
      ignored: [],
    });
  });
});
