import fc from 'fast-check';
import { event, put, readAll, type StoreUnderTest } from '../contract/under-test.ts';
import { BEGINNING } from '../../src/cursor.ts';
import type { Cursor, EffectChange, StreamAppend } from '../../src/event-store.ts';
import { inAnyOrder } from './comparable.ts';

// Few names, so that operations meet.
const STREAMS = ['s:a', 's:b', 's:c', 's:d'];
const KINDS = ['Place', 'Create'];
const KEYS = ['1', '2'];
const LANES = ['limited', 'free'];
const TENANTS = ['x', 'y', 'z'];
const GATES = ['g', 'h'];
const WORKERS = ['w1', 'w2', 'w3'];
const GROUP = ['group', 'topic', 0] as const;

/** What both sides saw so far, from which later operations choose. */
interface Remembered {
  readonly versions: Map<string, number>;
  readonly claims: { streamId: string; kind: string; key: string; claimId: string }[];
  epoch: number;
  offset: number;
  readonly cursors: Map<string, Cursor>;
}

export function rememberingOf(): Remembered {
  return { versions: new Map(), claims: [], epoch: 0, offset: 0, cursors: new Map() };
}

const of = <T>(values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const milliseconds = of([0, 1, 20, 999, 1_000, 4_000, 30_000]);
const row = { kind: of(KINDS), key: of(KEYS) };

const effect = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('put' as const),
      ...row,
      lane: of(LANES),
      tenant: of(TENANTS),
      afterMs: milliseconds,
      bytes: fc.option(fc.uint8Array({ minLength: 1, maxLength: 2 }), { nil: undefined }),
      claim: fc.option(of(WORKERS), { nil: undefined, freq: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('remove' as const), ...row, unlessClaimed: fc.boolean() }),
  },
);
const timer = fc.record({ name: of(['t', 'u']), put: fc.boolean(), inMs: milliseconds });

const stream = fc.record({
  streamId: of(STREAMS),
  off: of([0, 0, 0, 0, 0, 1]),
  events: fc.integer({ min: 0, max: 2 }),
  effects: fc.array(effect, { maxLength: 3 }),
  timers: fc.array(timer, { maxLength: 2 }),
  parked: of([undefined, undefined, undefined, null, 'g', 'h']),
  alias: fc.option(of(['eci:1', 'eci:2', 'eci:3']), { nil: undefined }),
  sealed: of([undefined, undefined, 'put', 'destroy'] as const),
  closed: of([undefined, undefined, undefined, true]),
  // Which of the claims made so far, from the newest; most are not held any more.
  claim: of([undefined, undefined, undefined, 0, 1, 3]),
});

export const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      streams: fc.uniqueArray(stream, { minLength: 1, maxLength: 3, selector: (s) => s.streamId }),
      inbox: of([undefined, undefined, 'ours', 'ours', 'stale'] as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      lane: of(LANES),
      kinds: of([KINDS, ['Place'], ['Create']]),
      max: fc.integer({ min: 1, max: 4 }),
      worker: of(WORKERS),
      leaseMs: of([1, 1_000, 30_000]),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('confirm' as const), back: fc.nat(4), leaseMs: milliseconds }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      back: fc.nat(3),
      afterMs: milliseconds,
      notSent: fc.boolean(),
      refund: fc.boolean(),
      changed: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: milliseconds }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('configure' as const), rate: of([1, 2, 5]), burst: of([1, 3, 8]) }),
  },
  { weight: 2, arbitrary: fc.record({ do: of(['throttled', 'accepted'] as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('report' as const), gate: of(GATES), accepted: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove timer' as const), streamId: of(STREAMS) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('begin epoch' as const), offset: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('lease' as const), owner: of(WORKERS), leaseMs: of([1, 1_000]) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('read on' as const), owner: of(WORKERS), limit: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), owner: of(WORKERS) }) },
  { weight: 6, arbitrary: fc.record({ do: of(['due gates', 'due timers', 'look', 'read'] as const) }) },
);

export type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/** `index` makes priorities that differ, so that no order is left to chance. */
export async function perform(
  under: StoreUnderTest,
  op: Operation,
  index: number,
  remembered: Remembered,
): Promise<unknown> {
  const { store, effects, gates, timers, checkpoints } = under;
  const { claims } = remembered;
  switch (op.do) {
    case 'append':
      return append(under, op, index, remembered);
    case 'claim': {
      const request = { lane: op.lane, kinds: op.kinds, max: op.max, claimId: op.worker, leaseMs: op.leaseMs };
      const rows = await effects.claim(request);
      const sorted = [...rows].sort((a, b) => b.priority - a.priority);
      claims.push(...sorted.map(({ streamId, kind, key, claimId }) => ({ streamId, kind, key, claimId })));
      return sorted;
    }
    case 'confirm':
      return inAnyOrder(await effects.confirmClaims(distinct(claims.slice(-1 - op.back)), op.leaseMs));
    case 'release': {
      const claimed = claims.at(-1 - op.back);
      if (!claimed) return 'nothing was claimed yet';
      const { afterMs, notSent, refund, changed } = op;
      const data = changed ? { data: { changed: index } } : {};
      return effects.release({ ...claimed, afterMs, notSent, refundToken: refund, ...data });
    }
    case 'advance':
      return under.advance(op.ms);
    case 'configure':
      return effects.configureLane('limited', op);
    case 'throttled':
      return effects.laneThrottled('limited');
    case 'accepted':
      return effects.laneAccepted('limited');
    case 'report':
      return gates.report(op.gate, op.accepted ? 'accepted' : 'refused');
    case 'remove timer':
      return timers.remove(op.streamId, 't');
    case 'begin epoch':
      remembered.epoch = await store.beginInboxEpoch(...GROUP, String(op.offset));
      remembered.offset = op.offset;
      return remembered.epoch;
    case 'lease': {
      const at = await checkpoints.lease('reader', op.owner, op.leaseMs);
      if (at) remembered.cursors.set(op.owner, at);
      return at !== undefined;
    }
    case 'read on': {
      if (remembered.cursors.size === 0) return 'nobody reads yet';
      const from = remembered.cursors.get(op.owner) ?? BEGINNING;
      await under.settled();
      const { events, next } = await store.readAll(from, 1 + op.limit);
      await checkpoints.transaction('reader', async (t) => {
        const parked = await t.queueParked(events);
        if (op.limit === 0 && events[0] && parked.size === 0) await t.park(events[0], 'parked by chance');
        await t.move(op.owner, from, next);
      });
      remembered.cursors.set(op.owner, next);
      return { events, parked: (await checkpoints.parkedStreams('reader')).map(({ since: _, ...rest }) => rest) };
    }
    case 'leave':
      return checkpoints.leave('reader', op.owner);
    case 'due gates':
      return inAnyOrder(await gates.dueGates(9, 1_000));
    case 'due timers':
      return inAnyOrder(await timers.claimDue(99, 1_000));
    case 'look':
      return [
        await effects.dueLanes(),
        await effects.nextDueAt(),
        await gates.look(GATES),
        await Promise.all(GATES.map((gate) => gates.peek(gate, 9))),
      ];
    case 'read':
      return [
        await store.loadMany(STREAMS),
        await store.findByAlias(['eci:1', 'eci:2', 'eci:3']),
        await store.readSealed(STREAMS),
        await store.inboxOffset(...GROUP),
        (await readAll(under)).length,
      ];
  }
}

async function append(
  { store }: StoreUnderTest,
  op: Extract<Operation, { do: 'append' }>,
  index: number,
  remembered: Remembered,
): Promise<unknown> {
  const { versions, claims } = remembered;
  const streams = op.streams.map((s, i): StreamAppend => {
    const { streamId } = s;
    const priority = index * 10 + i;
    // A claim belongs to a stream: the append is then about that one.
    const claim = s.claim === undefined ? undefined : claims.filter((c) => c.streamId === streamId).at(-1 - s.claim);
    return {
      streamId,
      expected: (versions.get(streamId) ?? 0) + s.off,
      events: Array.from({ length: s.events }, (_, n) => ({
        ...event('Happened', { index, n }),
        eventId: `00000000-0000-4000-8000-${String(index * 100 + i * 10 + n).padStart(12, '0')}`,
      })),
      effects: s.effects.map((e, n): EffectChange => {
        if (e.op === 'remove') return e;
        const { bytes, claim: worker, afterMs, ...rest } = e;
        const more = {
          ...(bytes && { sealed: bytes }),
          ...(worker !== undefined && { claim: { claimId: worker, leaseMs: 1_000 } }),
        };
        return put(e.key, { ...rest, afterMs, priority: priority * 10 + n, data: { index }, ...more });
      }),
      timers: s.timers.map(({ name, put: isPut, inMs }) =>
        isPut
          ? { op: 'put', name, dueAt: new Date(Date.UTC(2026, 10, 23) + inMs).toISOString(), data: { index } }
          : { op: 'remove', name },
      ),
      // Behind those of its effects: what a gate lets through must not tie with one of them.
      ...(s.parked !== undefined && {
        parked: s.parked === null ? null : { gate: s.parked, priority: priority * 10 + 9 },
      }),
      ...(s.alias !== undefined && { aliases: [s.alias] }),
      ...(s.sealed && { sealed: sealedOf(s.sealed, index) }),
      ...(claim && { claim }),
      ...(s.closed && { closed: true }),
    };
  });
  const from = remembered.offset + (op.inbox === 'stale' ? 1 : 0);
  const inbox = op.inbox && {
    group: GROUP[0],
    topic: GROUP[1],
    partition: GROUP[2],
    epoch: remembered.epoch,
    from: String(from),
    to: String(from + 1),
  };
  const results = await store.append(streams, inbox);
  for (const result of results) if (result.ok) versions.set(result.streamId, result.version);
  if (inbox && results.every((result) => result.ok)) remembered.offset += 1;
  return results.map((result) =>
    result.ok ? { ...result, removedEffects: inAnyOrder(result.removedEffects) } : result,
  );
}

function sealedOf(what: 'put' | 'destroy', index: number): NonNullable<StreamAppend['sealed']> {
  if (what === 'destroy') return what;
  return { put: { wrappedKey: Uint8Array.of(index), keyId: `k${index}`, sealed: Uint8Array.of(1, 2) } };
}

function distinct<T>(rows: readonly T[]): readonly T[] {
  return [...new Map(rows.map((r) => [JSON.stringify(r), r])).values()];
}
