import { orphanStreamId, type OrphanCommand, type OrphanEventType } from '#libs/domain';
import { InMemoryDatabase, InMemoryEffectQueue, InMemoryEventStore, type EffectRow } from '#libs/event-store';
import { Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { described, group, listed, ScriptedEci } from '../../spec/effects/scripted-eci.ts';
import { LEASE_MS } from '../effects/held-effect.ts';
import { effectTools, type EffectTools } from '../effects/tools.ts';
import { aliasOf } from '../streams/alias.ts';
import { OrphanStreams } from './orphan-streams.ts';
import { RemoveOrphan } from './remove-orphan.ts';

const ID = { accountId: 'acc', region: 'cn-hangzhou', containerGroupId: 'eci-1' };
const STREAM = orphanStreamId(ID);
const LANE = 'acc/cn-hangzhou/delete';
const other = group('eci-other', 'Running', { podUid: 'u9' });
const found: OrphanCommand = { type: 'Quarantine', facts: { ...ID, status: 'Running' }, why: 'no stream knows it' };
const asked: OrphanCommand = { type: 'RequestRemoval', by: 'jo' };
const deleted: OrphanCommand = { type: 'RecordDelete', requestId: 'r0' };
const DONE = { kind: 'done', requestId: 'r1' } as const;
const NOT_FOUND = { kind: 'not-found', requestId: 'r1' } as const;

class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

let clock: NoWaits;
let database: InMemoryDatabase;
let store: InMemoryEventStore;
let queue: InMemoryEffectQueue;
let eci: ScriptedEci;
let streams: OrphanStreams;
let tools: EffectTools;
let handler: RemoveOrphan;
/** Groups of the place that streams have, which a cloud that shows nothing hides. */
let known: Map<string, string>;

beforeEach(async () => {
  clock = new NoWaits();
  database = new InMemoryDatabase({ clock });
  store = new InMemoryEventStore(database);
  queue = new InMemoryEffectQueue(database);
  eci = new ScriptedEci();
  known = new Map();
  const random = new SeededRandom(1);
  streams = new OrphanStreams({ store, clock, ids: new SeededIds(random) });
  const parts = {
    fleet: 'f',
    store,
    queue,
    gates: { look: () => Promise.resolve(new Map()), report: () => Promise.resolve() },
    clients: eci,
    streams: { loadEach: () => Promise.resolve({ states: new Map(), failed: new Map([['a stream', new Error()]]) }) },
    scopes: { knownGroups: () => Promise.resolve(known) },
    orphanStreams: streams,
    clock,
    random,
    logger: silentLogger,
    metrics: new Metrics(),
  } as unknown as ConstructorParameters<typeof RemoveOrphan>[0] & Parameters<typeof effectTools>[0];
  tools = effectTools(parts);
  handler = new RemoveOrphan(parts, tools);
  await queue.configureLane(LANE, { rate: 10, burst: 10 });
});

const say = async (...commands: readonly OrphanCommand[]): Promise<void> => {
  for (const command of commands) await streams.execute(STREAM, command, { actor: 'operator:jo' });
};

const claim = (): Promise<readonly EffectRow[]> =>
  queue.claim({ lane: LANE, kinds: [handler.kind], max: 9, claimId: `w${clock.now()}`, leaseMs: handler.leaseMs });

/** The work is done once, as soon as it is due. `meanwhile`: after it was claimed. */
async function when(meanwhile: () => unknown = () => undefined): Promise<void> {
  const [row] = database.contents().effects;
  await clock.advance(Math.max(0, Date.parse(row!.runAt) - clock.now()));
  const rows = await claim();
  expect(rows).toHaveLength(1);
  await meanwhile();
  const settled: EffectRow[] = [];
  await handler.run(rows, (each) => settled.push(each));
  expect(new Set(settled)).toEqual(new Set(rows));
}

const history = (): readonly OrphanEventType[] => database.events(STREAM).map(({ type }) => type as OrphanEventType);
const last = () => database.events(STREAM).at(-1)!;
/** The row as it is left; undefined when it has ended. */
function left() {
  const [row] = database.contents().effects;
  if (!row) return undefined;
  return {
    afterMs: Date.parse(row.runAt) - clock.now(),
    maybeSent: row.mayHaveBeenSent,
    held: row.claimId !== undefined,
  };
}

describe('an orphan that is to be removed', () => {
  beforeEach(() => say(found, asked));

  it('is read once more and deleted, and its end is to be proven', async () => {
    eci.answers('describe', described(group('eci-1')));
    eci.answers('delete', DONE);
    await when();
    expect(eci.calls).toEqual(['describe eci-1', 'delete eci-1']);
    expect(last()).toMatchObject({ type: 'OrphanDeleteAccepted', data: { requestId: 'r1' } });
    expect(last().metadata).toMatchObject({ actor: 'control-plane:effects', causationId: 'effect:RemoveOrphan/eci-1' });
    expect(left()).toEqual({ afterMs: 1_000, maybeSent: true, held: false });
  });

  it('is removed when the cloud does not know it any more', async () => {
    eci.answers('describe', described(group('eci-1')));
    eci.answers('delete', NOT_FOUND);
    await when();
    expect(last().type).toBe('OrphanRemoved');
    expect(left()).toBeUndefined();
  });

  it.each([
    ['throttled', { kind: 'throttled', reason: 'slow down' }, false],
    ['in conflict', { kind: 'conflict', code: 'IncorrectStatus' }, false],
    ['refused', { kind: 'refused', code: 'Forbidden.RAM', class: 'AUTH' }, false],
    ['unknown', { kind: 'unknown', reason: 'no answer' }, true],
    ['thrown', new Error('connection reset'), true],
  ] as const)('is deleted again after an answer that is %s', async (how, answer, maybeSent) => {
    eci.answers('describe', described(group('eci-1')));
    eci.answers('delete', answer as never);
    await when();
    expect(history()).toEqual(['OrphanQuarantined', 'OrphanRemovalRequested']);
    expect(left()).toMatchObject({ maybeSent, held: false });
    expect(left()!.afterMs).toBeGreaterThan(0);
    expect(database.contents().lanes.get(LANE)!.factor < 1).toBe(how === 'throttled');

    eci.answers('describe', described(group('eci-1')));
    eci.answers('delete', DONE);
    await when();
    expect(last().type).toBe('OrphanDeleteAccepted');
  });

  it('waits while the cloud does not answer, and nothing is sent', async () => {
    eci.answers('describe', { kind: 'unknown', reason: 'no answer' });
    await when();
    expect(eci.calls).toEqual(['describe eci-1']);
    expect(left()).toMatchObject({ maybeSent: false, held: false });
  });

  it.each([
    ['has lost our tag', group('eci-1', 'Running', { fleet: 'another' }), { reason: 'not-ours' }],
    ['has ended', group('eci-1', 'Succeeded'), { reason: 'ended' }],
    ['is known by its id', group('eci-1'), { reason: 'claimed', streamId: 'a stream' }],
  ] as const)('is left alone when it %s', async (_, shown, closed) => {
    if (closed.reason === 'claimed')
      await store.append([
        {
          streamId: 'a stream',
          expected: 0,
          events: [],
          aliases: [aliasOf(ID.accountId, ID.region, ID.containerGroupId)],
        },
      ]);
    eci.answers('describe', described(shown));
    await when();
    expect(eci.calls).toEqual(['describe eci-1']);
    expect(last()).toMatchObject({ type: 'OrphanClosed', data: closed });
    expect(left()).toBeUndefined();
  });

  it('was removed by us when it ended after a delete whose outcome nobody knows', async () => {
    eci.answers('describe', described(group('eci-1')));
    eci.answers('delete', { kind: 'unknown', reason: 'no answer' });
    await when();
    eci.answers('describe', described(group('eci-1', 'Succeeded')));
    await when();
    expect(last().type).toBe('OrphanRemoved');
  });

  it('has vanished when reads that others vouch for lack it for a minute', async () => {
    // given another group that a read shows
    eci.answers('describe', described(), ...Array<ReturnType<typeof described>>(3).fill(described(other)));
    eci.answers('list', listed(other));
    for (let reads = 1; reads <= 2; reads++) {
      await when();
      expect(left()).toEqual({ afterMs: 30_000, maybeSent: false, held: false });
    }
    await when();
    expect(last()).toMatchObject({ type: 'OrphanClosed', data: { reason: 'vanished' } });
    expect(eci.calls.filter((call) => call.startsWith('delete'))).toEqual([]);
  });

  it('has not vanished as long as nobody vouches for that', async () => {
    known.set('eci-other', 'a stream');
    for (let i = 0; i < 5; i++) {
      eci.answers('describe', described());
      eci.answers('list', listed());
      await when();
    }
    expect(history()).toEqual(['OrphanQuarantined', 'OrphanRemovalRequested']);
    expect(left()).toEqual({ afterMs: 30_000, maybeSent: false, held: false });
  });

  it('is not touched by one whose claim another has taken over', async () => {
    eci.answers('describe', described(group('eci-1')));
    await when(async () => {
      await clock.advance(LEASE_MS);
      expect(await claim()).toHaveLength(1);
    });
    expect(eci.calls).toEqual(['describe eci-1']);
    expect(left()).toMatchObject({ held: true });
  });

  it('is set aside when it fails for a reason of its own, until it works', async () => {
    eci.trouble = new Error('no such account');
    await when();
    expect(tools.aside.list()).toMatchObject([
      {
        loop: 'effects',
        item: `${STREAM} RemoveOrphan:eci-1`,
        reason: expect.stringContaining('no such account') as string,
      },
    ]);
    eci.trouble = undefined;
    eci.answers('describe', described(group('eci-1')));
    eci.answers('delete', DONE);
    await when();
    expect(tools.aside.list()).toEqual([]);
  });
});

describe('an orphan whose delete was accepted', () => {
  beforeEach(() => say(found, asked, deleted));

  it('is looked at until it has ended', async () => {
    eci.answers('describe', described(group('eci-1', 'Terminating')), described(group('eci-1', 'Succeeded')));
    await when();
    expect(left()).toMatchObject({ afterMs: 1_000, held: false });
    await when();
    expect(last()).toMatchObject({ type: 'OrphanRemoved', data: { evidence: 'after our delete it is Succeeded' } });
    expect(left()).toBeUndefined();
  });

  it('is gone when a read shows another, but not this one', async () => {
    eci.answers('describe', described(), described(other));
    eci.answers('list', listed(other));
    await when();
    expect(last().type).toBe('OrphanRemoved');
  });

  it('is deleted once more where nobody vouches for its absence, and gone when the cloud says that it is', async () => {
    known.set('eci-other', 'a stream');
    eci.answers('describe', described());
    eci.answers('list', listed());
    eci.answers('delete', NOT_FOUND);
    await when();
    expect(eci.calls).toEqual(['describe eci-1', 'list fleet', 'delete eci-1']);
    expect(last().type).toBe('OrphanRemoved');
  });

  it('is deleted once more when it runs on for two minutes', async () => {
    for (let i = 0; i < 80 && !eci.calls.includes('delete eci-1'); i++) {
      eci.answers('describe', described(group('eci-1')));
      if (eci.calls.length > 20) eci.answers('delete', DONE);
      await when();
    }
    expect(eci.calls.at(-1)).toBe('delete eci-1');
    expect(history().at(-1)).toBe('OrphanDeleteAccepted');
  });

  it('is asked about by nobody whose claim another has taken over', async () => {
    await when(async () => {
      await clock.advance(LEASE_MS);
      expect(await claim()).toHaveLength(1);
    });
    expect(eci.calls).toEqual([]);
  });
});
