import { describe, expect, it } from 'vitest';
import { JoinRequest, SessionRequest } from './agent-session.ts';
import { ClearPart, MAX_INVENTORY_CHUNKS, MAX_LEFTOVERS } from './intent.ts';

type Value = string | number | readonly unknown[];
/** A value in what is otherwise sound: the last one that is taken, and the first that is not. */
type Bound = readonly [place: string, most: Value, beyond: Value];

const MOST = Number.MAX_SAFE_INTEGER;
const letters = (count: number): string => 'x'.repeat(count);
const ofLength = (place: string, most: number): Bound => [place, letters(most), letters(most + 1)];
const wholeNumber = (place: string): Bound => [place, MOST, MOST + 1];
const times = <T>(count: number, item: T): readonly T[] => Array.from({ length: count }, () => item);

const clear = (body: object): Record<string, unknown> => ({
  schemaVersion: 1,
  clusterId: 'k1',
  agentEpoch: 1,
  sequence: 1,
  sentAt: '2026-01-01T00:00:00Z',
  body,
});
const stopPod = clear({ kind: 'StopPod', uid: 'u1', namespace: 'ns', name: 'p', reason: 'Deleted' });
const pod = { uid: 'u1', resourceVersion: '1', phase: 'Running' };
const inventory = clear({ kind: 'Inventory', inventoryId: 'i', chunk: 0, chunks: 1, pods: [pod] });
const parts = clear({ kind: 'Inventory', inventoryId: 'i', chunk: 0, chunks: MAX_INVENTORY_CHUNKS, pods: [] });
const profile = { region: 'r', vSwitchIds: [] };
const runPod = clear({
  kind: 'RunPod',
  pod: { uid: 'u1', namespace: 'ns', name: 'p', resourceVersion: '1', phase: 'Pending', metadata: {}, spec: {} },
  resolved: { profileRevision: 'p1', profile, serviceEnv: {}, tokens: [] },
});
const token = (path: string) => ({ path, issuedAt: '2026-01-01T00:00:00Z', expiresAt: '2026-01-01T00:00:00Z' });
const session = {
  assertion: 'a',
  clusterFingerprint: 'f',
  agentId: 'a',
  agentVersion: '1',
  nodeName: 'n',
};

/** The same with another value in one place. */
function withValue(whole: unknown, place: string, value: Value): unknown {
  const [name, ...rest] = place.split('.') as [string, ...string[]];
  const copy = (Array.isArray(whole) ? [...(whole as unknown[])] : { ...(whole as object) }) as Record<string, unknown>;
  copy[name] = rest.length === 0 ? value : withValue(copy[name], rest.join('.'), value);
  return copy;
}

describe.each([
  [
    'a StopPod',
    ClearPart,
    stopPod,
    [
      ofLength('clusterId', 63),
      wholeNumber('agentEpoch'),
      wholeNumber('sequence'),
      ['schemaVersion', 2, 3],
      ofLength('body.uid', 64),
      ofLength('body.namespace', 253),
      ofLength('body.name', 253),
      wholeNumber('body.graceSeconds'),
    ],
  ],
  [
    'an Inventory',
    ClearPart,
    inventory,
    [
      ofLength('body.inventoryId', 128),
      ['body.chunk', 0, 1],
      ['body.chunks', MAX_INVENTORY_CHUNKS, MAX_INVENTORY_CHUNKS + 1],
      ofLength('body.pods.0.uid', 64),
      ofLength('body.pods.0.resourceVersion', 128),
      wholeNumber('body.pods.0.revision'),
      ['body.leftovers', times(MAX_LEFTOVERS, 'u'), times(MAX_LEFTOVERS + 1, 'u')],
    ],
  ],
  [
    'an Inventory in parts',
    ClearPart,
    parts,
    [
      ['body.chunk', MAX_INVENTORY_CHUNKS - 1, MAX_INVENTORY_CHUNKS],
      ['body.chunks', MAX_INVENTORY_CHUNKS, MOST],
    ],
  ],
  [
    'a RunPod',
    ClearPart,
    runPod,
    [
      ofLength('body.pod.uid', 64),
      ofLength('body.pod.namespace', 253),
      ofLength('body.pod.name', 253),
      ofLength('body.pod.resourceVersion', 128),
      ofLength('body.resolved.profileRevision', 128),
      ['body.resolved.profile.vSwitchIds', times(100, 'v'), times(101, 'v')],
      ['body.resolved.tokens', times(1_000, token('p')), times(1_001, token('p'))],
    ],
  ],
  [
    'a session',
    SessionRequest,
    session,
    [
      ofLength('assertion', 8_192),
      ofLength('clusterFingerprint', 128),
      ofLength('agentId', 128),
      wholeNumber('renewEpoch'),
      ofLength('agentVersion', 128),
      ofLength('nodeName', 253),
    ],
  ],
  [
    'a join',
    JoinRequest,
    { token: 't', publicKey: {}, clusterFingerprint: 'f' },
    [ofLength('token', 512), ofLength('clusterFingerprint', 128)],
  ],
] as const satisfies readonly (readonly [string, unknown, unknown, readonly Bound[]])[])(
  '%s',
  (_, schema, whole, bounds) => {
    it.each(bounds as readonly Bound[])('ends at its bound: %s', (place, most, beyond) => {
      expect(schema.safeParse(whole).success).toBe(true);
      expect(schema.safeParse(withValue(whole, place, most)).success).toBe(true);

      const refused = schema.safeParse(withValue(whole, place, beyond));

      expect(refused.success).toBe(false);
      expect(refused.error?.issues[0]?.path.join('.')).toContain(place.split('.').slice(0, 2).join('.'));
    });

    it.each((bounds as readonly Bound[]).filter(([, most]) => typeof most === 'string').map(([place]) => place))(
      'holds nothing that no table and no log can: %s',
      (place) => {
        for (const odd of ['a\u0000b', 'a\ud800'])
          expect(schema.safeParse(withValue(whole, place, odd)).success).toBe(false);
      },
    );
  },
);

describe('what is said for people', () => {
  it.each([
    [stopPod, 'body.disruption', 1_024],
    [inventory, 'body.pods.0.phase', 64],
    [inventory, 'body.pods.0.waitingFor', 4_096],
  ] as const)('is never refused, but cut at its bound: %#, %s', (whole, place, most) => {
    for (const given of [letters(most), letters(most + 1), `${letters(most * 3)}\u0000`]) {
      const { body } = ClearPart.parse(withValue(whole, place, given));
      const kept = JSON.stringify(body).match(/x+…?/g) ?? [];
      expect(Math.max(...kept.map((each) => each.length))).toBe(most);
    }
  });
});
