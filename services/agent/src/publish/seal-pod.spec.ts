import { ClearPart, SealedRunPod, type RunPod } from '#libs/contracts';
import { expect, it } from 'vitest';
import { withPodSealed } from './seal-pod.ts';

const body: RunPod = {
  kind: 'RunPod',
  pod: {
    uid: 'u',
    namespace: 'n',
    name: 'p',
    resourceVersion: '1',
    phase: 'Pending',
    metadata: { name: 'p', annotations: { 'kubernetes.io/note': 'canary' } },
    spec: { containers: [{ name: 'c', image: 'i', command: ['canary'] }] },
  },
  resolved: {
    profileRevision: 'r',
    profile: { region: 'cn-hangzhou', vSwitchIds: [], enableClusterIp: true },
    serviceEnv: {},
    tokens: [],
  },
};
const sealed = { env: {}, annotations: {}, configMaps: {}, secrets: {}, tokens: {}, pullSecrets: [] };

it('moves the pod into the sealed half, which the control plane understands', () => {
  const halves = withPodSealed({ body, sealed });

  expect(JSON.stringify(halves.body)).not.toContain('canary');
  expect(halves.body).toMatchObject({ pod: { uid: 'u', spec: { containers: [{ name: 'c', image: 'i' }] } } });
  const { metadata, spec } = body.pod;
  expect(SealedRunPod.parse(halves.sealed)).toEqual({ ...sealed, pod: { metadata, spec } });
  const clear = { ...halves, clusterId: 'k', agentEpoch: 1, sequence: 1, sentAt: '2026-01-01T00:00:00Z' };
  expect(ClearPart.parse(clear).schemaVersion).toBe(2);
});

it('leaves intents without a pod to every reader there ever was', () => {
  const stop = { kind: 'StopPod', uid: 'u', namespace: 'n', name: 'p', reason: 'Absent' } as const;
  expect(withPodSealed({ body: stop, sealed: {} })).toEqual({ schemaVersion: 1, body: stop, sealed: {} });
});

it('leaves nothing in clear of a pod that is none', () => {
  const odd = { ...body, pod: { ...body.pod, spec: { containers: 'canary' }, metadata: { labels: ['canary'] } } };
  expect(JSON.stringify(withPodSealed({ body: odd, sealed }).body)).not.toContain('canary');
});
