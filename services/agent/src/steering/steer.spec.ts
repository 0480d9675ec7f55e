import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Selector } from '../profile/selectors.ts';
import { registrationOf } from './registration.ts';
import { steer, type JsonPatchAdd, type NewPod, type Steered } from './steer.ts';

const taint = { key: 'virtual-kubelet.io/provider', value: 'alibabacloud', effect: 'NoSchedule' };
const batch: Selector = {
  name: 'batch',
  objectSelector: { matchLabels: { tier: 'batch' } },
  effect: { annotations: { a: 'first', b: 'first' }, labels: { team: 'x' } },
};
const also: Selector = {
  name: 'also',
  namespaceSelector: { matchLabels: { burst: 'yes' } },
  effect: { annotations: { a: 'second', c: 'second' } },
};
const defaults: Selector = { name: 'defaults', effect: { annotations: { d: 'default' } } };

function apply(pod: NewPod, patch: readonly JsonPatchAdd[]): NewPod {
  const changed = structuredClone(pod) as Record<string, never>;
  for (const { path, value } of patch) {
    const parts = path
      .slice(1)
      .split('/')
      .map((p) => p.replaceAll('~1', '/').replaceAll('~0', '~'));
    let target: Record<string, never> | unknown[] = changed;
    for (const part of parts.slice(0, -1)) target = (target as Record<string, never>)[part]!;
    const last = parts.at(-1)!;
    if (Array.isArray(target)) target.push(value);
    else (target as Record<string, unknown>)[last] = value;
  }
  return changed;
}

const patchOf = (steered: Steered): readonly JsonPatchAdd[] => (steered.kind === 'steered' ? steered.patch : []);

const labelled = (labels: Record<string, string>, spec: NewPod['spec'] = {}): NewPod => ({
  metadata: { labels },
  spec,
});

describe('steering', () => {
  it.each([
    ['a labelled pod', { 'alibabacloud.com/eci': 'true' }, {}],
    ['a pod with the old label', { eci: 'true' }, {}],
    ['a pod of a labelled namespace', {}, { 'alibabacloud.com/eci': 'true' }],
    ['a pod of a namespace with the oldest label', {}, { 'virtual-node-affinity-injection': 'enabled' }],
  ])('sends %s to the virtual node', (_, labels, namespace) => {
    const pod = labelled(labels as Record<string, string>);

    const steered = steer(pod, namespace as Record<string, string>, { taint, selectors: [] });

    expect(steered.kind).toBe('steered');
    expect(apply(pod, patchOf(steered)).spec).toEqual({
      nodeSelector: { type: 'virtual-kubelet' },
      tolerations: [{ key: taint.key, operator: 'Equal', value: taint.value, effect: 'NoSchedule' }],
    });
  });

  it.each([
    ['a pod that nobody chose', {}, {}],
    ['a pod of the other product', { 'alibabacloud.com/eci': 'true', 'alibabacloud.com/acs': 'true' }, {}],
    ['a pod that says no', { 'alibabacloud.com/eci': 'false' }, { 'alibabacloud.com/eci': 'true' }],
  ])('leaves %s alone', (_, labels, namespace) => {
    expect(
      steer(labelled(labels as Record<string, string>), namespace as Record<string, string>, { taint, selectors: [] })
        .kind,
    ).toBe('not-ours');
  });

  it('leaves daemons alone', () => {
    const pod: NewPod = {
      metadata: { labels: { eci: 'true' }, ownerReferences: [{ kind: 'DaemonSet', controller: true }] },
    };

    expect(steer(pod, {}, { taint, selectors: [] }).kind).toBe('not-ours');
  });

  it('says when a node selector speaks against it', () => {
    const pod = labelled({ eci: 'true' }, { nodeSelector: { type: 'gpu' } });

    expect(steer(pod, {}, { taint, selectors: [] })).toMatchObject({
      kind: 'conflict',
      reason: expect.stringContaining('type=gpu') as string,
    });
  });

  it('adds effects: the pod first, then the first selector, then later ones, then defaults', () => {
    const pod: NewPod = { metadata: { labels: { tier: 'batch', team: 'mine' }, annotations: { b: 'mine' } } };

    const steered = steer(pod, { burst: 'yes' }, { taint, selectors: [batch, also, defaults] });

    const after = apply({ spec: {}, ...pod }, patchOf(steered));
    expect(after.metadata).toEqual({
      labels: { tier: 'batch', team: 'mine' },
      annotations: { a: 'first', b: 'mine', c: 'second', d: 'default' },
    });
  });

  it('never changes what the author gave, and doing it twice changes nothing more', () => {
    const keys = fc.constantFrom('a', 'b', 'tier', 'team', 'eci', 'alibabacloud.com/eci', 'type', 'x/y~z');
    const map = fc.dictionary(keys, fc.constantFrom('true', 'false', 'batch', 'virtual-kubelet', 'v'));
    const podArbitrary = fc.record(
      {
        metadata: fc.record({ labels: map, annotations: map }, { requiredKeys: [] }),
        spec: fc.record(
          {
            nodeSelector: map,
            tolerations: fc.array(
              fc.record(
                {
                  key: fc.constantFrom(taint.key, 'k'),
                  operator: fc.constantFrom('Exists', 'Equal'),
                  value: fc.constantFrom('alibabacloud', 'v'),
                },
                { requiredKeys: [] },
              ),
            ),
          },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: ['metadata', 'spec'] },
    ) as fc.Arbitrary<NewPod>;
    fc.assert(
      fc.property(podArbitrary, map, (pod, namespace) => {
        const rules = { taint, selectors: [batch, also, defaults] };
        const steered = steer(pod, namespace, rules);
        if (steered.kind !== 'steered') return;
        const after = apply(pod, steered.patch);
        for (const part of ['labels', 'annotations'] as const)
          expect(after.metadata?.[part] ?? {}).toMatchObject(pod.metadata?.[part] ?? {});
        expect(after.spec?.nodeSelector ?? {}).toMatchObject(pod.spec?.nodeSelector ?? {});
        expect(after.spec?.tolerations?.slice(0, pod.spec?.tolerations?.length ?? 0) ?? []).toEqual(
          pod.spec?.tolerations ?? [],
        );
        const again = steer(after, namespace, { ...rules, selectors: [] });
        expect(again.kind === 'steered' ? again.patch : []).toEqual([]);
      }),
    );
  });
});

describe('the registration', () => {
  const target = { service: { namespace: 'eci-fleet', name: 'agent' }, nodeName: 'virtual-kubelet' };
  type Entry = {
    name: string;
    failurePolicy: string;
    timeoutSeconds: number;
    namespaceSelector: { matchExpressions: unknown[] };
    objectSelector: unknown;
    clientConfig: Record<string, unknown>;
  };
  const entries = (selectors: Selector[]): Entry[] => registrationOf(target, 'CA', selectors).webhooks as Entry[];

  it('asks for chosen pods only, never for those of kube-system and its own namespace, and never blocks', () => {
    for (const entry of entries([batch, also])) {
      expect(entry).toMatchObject({ failurePolicy: 'Ignore', timeoutSeconds: 5 });
      expect(entry.namespaceSelector.matchExpressions).toContainEqual({
        key: 'kubernetes.io/metadata.name',
        operator: 'NotIn',
        values: ['kube-system', 'eci-fleet'],
      });
    }
    expect(entries([batch]).at(-1)!.objectSelector).toEqual({ matchLabels: { tier: 'batch' } });
  });

  it('asks for every pod only when there are defaults for all', () => {
    expect(entries([batch]).map((e) => e.name)).not.toContain('defaults.steering.eci-fleet.local');
    expect(entries([batch, defaults]).at(-1)!.name).toBe('defaults.steering.eci-fleet.local');
  });

  it('leads to the service, or to a URL', () => {
    expect(entries([])[0]!.clientConfig.service).toEqual({
      namespace: 'eci-fleet',
      name: 'agent',
      path: '/mutate',
      port: 443,
    });
    const byUrl = registrationOf({ ...target, url: 'https://h:1/' }, 'CA', []).webhooks as Entry[];
    expect(byUrl[0]!.clientConfig).toEqual({ caBundle: 'Q0E=', url: 'https://h:1/mutate' });
  });
});
