import { describe, expect, it } from 'vitest';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { quantile, SECONDS_BETWEEN_ARRIVALS, SECONDS_OF_LIFE, weighted, SHAPES } from './figures.ts';
import { ApiError, ObjectStore } from './object-store.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { resource } from './admission.ts';
import { matchesFields, matchesLabels, matchesLabelSelector } from './selectors.ts';

const pods = resource('Pod');
const newStore = (): ObjectStore => new ObjectStore(new VirtualClock(), new SeededIds(new SeededRandom(1)));
const pod = (name: string, spec: Record<string, unknown> = {}) => ({ metadata: { name } as never, spec });

function refusal(act: () => unknown): { code: number; reason: string } {
  try {
    act();
  } catch (error) {
    if (error instanceof ApiError) return { code: error.code, reason: error.reason };
    throw error;
  }
  throw new Error('it was not refused');
}

describe('objects', () => {
  it('get a UID and a resourceVersion that only grows', () => {
    const store = newStore();
    const first = store.create(pods, 'default', pod('a'));
    const second = store.create(pods, 'default', pod('b'));
    expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
    expect(first.metadata.uid).not.toBe(second.metadata.uid);
    expect(refusal(() => store.create(pods, 'default', pod('a')))).toEqual({ code: 409, reason: 'AlreadyExists' });
  });

  it('refuse a write under another UID or an old resourceVersion', () => {
    const store = newStore();
    const made = store.create(pods, 'default', pod('a'));
    expect(
      refusal(() =>
        store.update(pods, 'default', 'a', { ...made, metadata: { ...made.metadata, uid: 'other' } }, 'all'),
      ).code,
    ).toBe(409);
    store.update(pods, 'default', 'a', made, 'all');
    expect(refusal(() => store.update(pods, 'default', 'a', made, 'all')).code).toBe(409);
  });

  it('that are bound pods wait for a delete with grace 0; others go at once', () => {
    const store = newStore();
    store.create(pods, 'default', pod('bound', { nodeName: 'n' }));
    store.create(pods, 'default', pod('free'));
    expect(store.delete(pods, 'default', 'bound', {}).metadata.deletionTimestamp).toBeDefined();
    expect(store.list(pods).map((p) => p.metadata.name)).toEqual(['bound', 'free']);
    store.delete(pods, 'default', 'free', {});
    store.delete(pods, 'default', 'bound', { graceSeconds: 0 });
    expect(store.list(pods)).toEqual([]);
  });

  it('are watched from any version that is still remembered, each change once and in order', () => {
    const store = newStore();
    const made = store.create(pods, 'default', pod('a'));
    const seen: string[] = [];
    store.watch(pods, Number(made.metadata.resourceVersion) - 1, (e) =>
      seen.push(`${e.type} ${e.object.metadata.name}`),
    );
    store.create(pods, 'default', pod('b'));
    store.delete(pods, 'default', 'a', {});
    expect(seen).toEqual(['ADDED a', 'ADDED b', 'DELETED a']);
  });

  it('come back with their UIDs; watchers of older versions must list again', () => {
    const store = newStore();
    const made = store.create(pods, 'default', pod('a'));
    const again = new ObjectStore(
      new VirtualClock(),
      new SeededIds(new SeededRandom(2)),
      structuredClone(store.dump()),
    );
    expect(again.get(pods, 'default', 'a').metadata.uid).toBe(made.metadata.uid);
    expect(refusal(() => again.watch(pods, 1, () => undefined)).code).toBe(410);
  });
});

describe('patches', () => {
  it('merge objects and delete by null', () => {
    expect(mergePatch({ a: 1, b: { c: 2 } }, { a: null, b: { d: 3 } })).toEqual({ b: { c: 2, d: 3 } });
  });

  it('merge conditions by type, replace what says so, and replace other lists', () => {
    const target = { conditions: [{ type: 'A', status: 'True' }], list: [1] };
    expect(strategicMergePatch(target, { conditions: [{ type: 'B', status: 'False' }], list: [2] })).toEqual({
      conditions: [
        { type: 'A', status: 'True' },
        { type: 'B', status: 'False' },
      ],
      list: [2],
    });
    expect(strategicMergePatch(target, { conditions: [{ $patch: 'delete', type: 'A' }] })).toMatchObject({
      conditions: [],
    });
    expect(strategicMergePatch(target, { conditions: [{ $patch: 'replace' }, { type: 'C' }] })).toMatchObject({
      conditions: [{ type: 'C' }],
    });
    for (const field of ['podIPs', 'hostIPs'])
      expect(
        strategicMergePatch(
          { [field]: [{ ip: '10.0.0.1' }] },
          { [field]: [{ $patch: 'replace' }, { ip: '10.0.0.2' }] },
        ),
      ).toEqual({ [field]: [{ ip: '10.0.0.2' }] });
  });

  it('of operations add, replace, remove and test', () => {
    expect(
      jsonPatch({ a: { b: 1 }, l: [1] }, [
        { op: 'add', path: '/a/x~1y', value: 2 },
        { op: 'remove', path: '/a/b' },
        { op: 'add', path: '/l/-', value: 2 },
      ]),
    ).toEqual({ a: { 'x/y': 2 }, l: [1, 2] });
    expect(() => jsonPatch({}, [{ op: 'add', path: '/no/where', value: 1 }])).toThrow(/does not exist/);
  });
});

describe('selectors', () => {
  it('match labels in every form', () => {
    const labels = { a: '1', b: '2' };
    for (const selector of ['a=1', 'a==1,b!=3', 'a in (1,2),b', '!c', 'c notin (x)'])
      expect(matchesLabels(selector, labels), selector).toBe(true);
    for (const selector of ['a=2', 'a!=1', 'a in (2,3)', '!a', 'c'])
      expect(matchesLabels(selector, labels), selector).toBe(false);
  });

  it('match fields and label selectors of objects', () => {
    const store = newStore();
    const made = store.create(pods, 'default', pod('a', { nodeName: 'n' }));
    expect(matchesFields('spec.nodeName=n,metadata.name!=b', made)).toBe(true);
    expect(matchesFields('spec.nodeName=m', made)).toBe(false);
    expect(matchesLabelSelector({ matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['1'] }] }, {})).toBe(true);
    expect(matchesLabelSelector({ matchLabels: { x: '1' } }, {})).toBe(false);
  });
});

describe('the figures of the trace', () => {
  it('give back their quantiles', () => {
    expect(quantile(SECONDS_BETWEEN_ARRIVALS, 0.5)).toBeCloseTo(161);
    expect(quantile(SECONDS_OF_LIFE, 0.75)).toBeCloseTo(1974);
    expect(quantile(SECONDS_OF_LIFE, 0.999999)).toBeGreaterThan(16_425);
  });

  it('draw shapes as often as they were seen', () => {
    const random = new SeededRandom(7);
    const drawn = Array.from({ length: 20_000 }, () => weighted(SHAPES, random.next()));
    const total = SHAPES.reduce((sum, shape) => sum + shape.weight, 0);
    const share = drawn.filter((shape) => shape === SHAPES[0]).length / drawn.length;
    expect(share).toBeCloseTo((SHAPES[0] as { weight: number }).weight / total, 1);
  });
});
