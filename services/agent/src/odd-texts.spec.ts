import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntentBody, SealedRunPod, type Profile } from '#libs/contracts';
import { silentLogger } from '#libs/observability';
import type { ConfigMapObject, KubernetesApi, PodObject, SecretObject, ServiceObject, Stored } from '#libs/kubernetes';
import { inventoryOf } from './inventory/inventory.ts';
import { nextIntent } from './pods/next-intent.ts';
import { parseProfile } from './profile/profile.ts';
import type { ClusterObjects } from './resolve/cluster-objects.ts';
import { Resolver } from './resolve/resolver.ts';

/** What no record keeps, what no list of ids takes, and what is far too long. */
const odd = fc.oneof(
  fc.constantFrom('\0', 'a\0b', '\ud800', 'x\udc00', 'a\nb', '😀'.repeat(3_000), 'x'.repeat(10_000), '', 'constructor'),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const seldom = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: odd });

const environment: Profile = { region: 'cn-hangzhou', vSwitchIds: ['vsw-1'], enableClusterIp: true };
const revision = 'r1';

/** A pod that names one of everything, with odd texts wherever the API server may let them through. */
const oddPod = fc
  .record({
    key: seldom,
    name: seldom,
    path: seldom,
    phase: seldom,
    reason: seldom,
    label: seldom,
    argument: seldom,
    volume: seldom,
  })
  .map(({ key = 'k', name = 'c', path = 'token', phase, reason, label = 'l', argument = 'a', volume = 'v' }) => ({
    metadata: { name: 'p', namespace: 'n', uid: 'uid-1', resourceVersion: '1', labels: { [label]: label } },
    spec: {
      containers: [
        {
          name: 'c',
          args: [argument],
          env: [{ name: 'A', valueFrom: { configMapKeyRef: { name, key } } }],
          envFrom: [{ secretRef: { name: 's' } }],
        },
      ],
      volumes: [
        { name: volume, projected: { sources: [{ serviceAccountToken: { path } }] } },
        { name: 'f', configMap: { name, items: [{ key, path: key }] } },
      ],
    },
    status: {
      ...(phase !== undefined && { phase }),
      conditions: [{ type: 'DisruptionTarget', status: 'True', ...(reason !== undefined && { reason }) }],
    },
  }))
  .map((pod): Stored<PodObject> => pod);

const oddCluster = fc.record({ value: odd, key: odd, type: odd, dns: seldom, service: odd, there: fc.boolean() });

type Cluster = { value: string; key: string; type: string; dns?: string | undefined; service: string; there: boolean };

/** The cluster as the resolver reads it. */
function resolverOf({ value, key, type, dns, service, there }: Cluster): Resolver {
  const data = { k: value, [key]: value };
  const service_: ServiceObject = {
    metadata: { name: service },
    spec: { clusterIP: '10.0.0.1', ports: [{ port: 1 }] },
  };
  const objects: Pick<ClusterObjects, 'configMap' | 'secret' | 'services' | 'master' | 'clusterDns'> = {
    configMap: (_, name): Promise<ConfigMapObject | undefined> =>
      Promise.resolve(there ? { metadata: { name }, data } : undefined),
    secret: (_, name): Promise<SecretObject | undefined> =>
      Promise.resolve(there ? { metadata: { name }, type, data } : undefined),
    services: () => Promise.resolve([service_]),
    master: () => Promise.resolve(undefined),
    clusterDns: () => Promise.resolve(dns),
  };
  const claims = Buffer.from(JSON.stringify({ iat: 1_800_000_000, exp: 1_800_003_600 })).toString('base64url');
  const api = { create: () => Promise.resolve({ metadata: {}, status: { token: `e30.${claims}.x` } }) };
  return new Resolver({
    api: api as unknown as KubernetesApi,
    objects: objects as ClusterObjects,
    profile: () => ({ profile: environment, revision, selectors: [] }),
    clusterDns: [],
    clusterDomain: 'cluster.local',
    logger: silentLogger,
  });
}

const understood = (body: unknown): unknown => IntentBody.safeParse(JSON.parse(JSON.stringify(body))).error?.message;

describe('whatever the cluster says', () => {
  it('the intent of a pod can be read at the other end, or the pod waits and says for what', async () => {
    await fc.assert(
      fc.asyncProperty(oddPod, oddCluster, async (pod, cluster) => {
        const resolution = await resolverOf(cluster).resolve(pod);
        if (resolution.kind === 'waiting') {
          expect(resolution.missing.length).toBeGreaterThan(0);
          return;
        }
        expect(understood(resolution.body)).toBeUndefined();
        expect(SealedRunPod.safeParse(JSON.parse(JSON.stringify(resolution.sealed))).error).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('the stop of a pod can be read, whoever ended it and however it is gone', () => {
    fc.assert(
      fc.property(oddPod, fc.boolean(), (pod, gone) => {
        const { uid, namespace, name } = pod.metadata;
        const record = { uid, namespace, name, sent: true, again: false, ...(gone && { gone: 'ObjectGone' as const }) };
        const deleted = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
        const goneBy = (pod.status?.conditions?.[0]?.reason as string | undefined) ?? 'Unknown';
        const next = nextIntent({ ...record, ...(gone && { goneBy }) }, gone ? undefined : deleted);
        if (next?.kind !== 'stop') throw new Error('no stop');
        expect(understood(next.body)).toBeUndefined();
      }),
    );
  });

  it('the inventory can be read, and says every pod that can have run', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(oddPod, odd, odd), { maxLength: 5 }), odd, (pods, leftover) => {
        const list = pods.map(([pod], index) => ({ ...pod, metadata: { ...pod.metadata, uid: `uid-${index}` } }));
        const chunks = inventoryOf('i', list, {
          revision: () => undefined,
          waitingFor: ({ metadata }) => pods[Number(metadata.uid.slice(4))]![1],
          onTopic: () => [leftover, 'gone-1'],
        });
        for (const chunk of chunks) expect(understood(chunk)).toBeUndefined();
        expect(chunks.flatMap((chunk) => chunk.pods.map(({ uid }) => uid))).toEqual(list.map((p) => p.metadata.uid));
        expect(chunks[0]!.leftovers).toContain('gone-1');
      }),
    );
  });

  it('a profile is refused with its keys, or is one that every intent can carry', () => {
    const settings = ['vpcId', 'vSwitchIds', 'securityGroupId', 'resourceGroupId', 'vswitch', 'selectors'];
    const selectors = fc
      .tuple(odd, odd)
      .map(([key, value]) => JSON.stringify([{ name: 'x', effect: { annotations: { [key]: value } } }]));
    const data = fc.dictionary(fc.constantFrom(...settings, 'else'), fc.oneof(odd, selectors));
    fc.assert(
      fc.property(data, (given) => {
        const parsed = parseProfile(environment, given);
        if (!parsed.ok) {
          expect(parsed.faults.length).toBeGreaterThan(0);
          return;
        }
        const { profile, selectors: chosen, revision: profileRevision } = parsed.value;
        const resolved = { profileRevision, profile, serviceEnv: {}, tokens: [] };
        const pod = {
          uid: 'u',
          namespace: 'n',
          name: 'p',
          resourceVersion: '1',
          phase: 'Pending',
          metadata: {},
          spec: {},
        };
        expect(understood({ kind: 'RunPod', pod, resolved })).toBeUndefined();
        for (const { effect } of chosen)
          for (const text of Object.entries(effect?.annotations ?? {}).flat())
            expect([text.includes('\0'), text.isWellFormed()]).toEqual([false, true]);
      }),
      { numRuns: 500 },
    );
  });
});
