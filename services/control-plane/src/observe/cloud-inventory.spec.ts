import { streamIdOf, type GroupSnapshot, type GroupStatus, type OrphanFacts } from '#libs/domain';
import type { FoundGroup } from '#libs/eci';
import { InMemoryDatabase, InMemoryEventStore } from '#libs/event-store';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { NEWEST, placement, runPod } from '../../../../libs/domain/spec/samples.ts';
import { eciOf } from '../../../../libs/eci/spec/eci-of.ts';
import { Asking } from '../accounts/ordered-eci.ts';
import { groupTimes } from '../container-groups/group-times.ts';
import { OrphanStreams } from '../orphans/orphan-streams.ts';
import { OrphanCases } from '../orphans/ports.ts';
import { SetAside } from '../streams/set-aside.ts';
import { StreamCommands } from '../streams/stream-commands.ts';
import { ApplySights } from './apply-sights.ts';
import { CloudInventory } from './cloud-inventory.ts';
import { observeMetrics } from './metrics.ts';
import { Orphans, Scopes } from './ports.ts';
import { Sights } from './sights.ts';

const scope = { accountId: 'acc', region: 'cn-hangzhou' };
const STREAM = streamIdOf('k1', 'u1');

class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

class KnownScopes extends Scopes {
  private readonly known: ReadonlyMap<string, string>;

  constructor(known: ReadonlyMap<string, string>) {
    super();
    this.known = known;
  }

  ensure = () => Promise.resolve();
  all = () => Promise.resolve([scope]);
  hold = () => Promise.resolve({});
  note = () => Promise.resolve();
  leave = () => Promise.resolve();
  knownGroups = () => Promise.resolve(this.known);
}

class NotedOrphans extends Orphans {
  readonly noted: string[] = [];
  note = (_: unknown, strangers: readonly OrphanFacts[]) => {
    this.noted.push(...strangers.map(({ containerGroupId }) => containerGroupId));
    return Promise.resolve(new Map());
  };
  keepOnly = () => Promise.resolve();
}

class NoCases extends OrphanCases {
  open = () => Promise.resolve([]);
  overdue = () => Promise.resolve([]);
}

/** An inventory of a cloud that lists and reads these groups; `known`: group → stream. */
function inventoryOf({
  clock,
  store,
  streams,
  orphans = new NotedOrphans(),
  groups,
  known = new Map(),
  metrics = new Metrics(),
}: {
  readonly clock: VirtualClock;
  readonly store: InMemoryEventStore;
  readonly streams: StreamCommands;
  readonly orphans?: NotedOrphans;
  readonly groups: () => readonly FoundGroup[];
  readonly known?: ReadonlyMap<string, string>;
  readonly metrics?: Metrics;
}): CloudInventory {
  const client = eciOf({
    list: () => Promise.resolve({ kind: 'done', requestId: 'r', value: { groups: groups() } }),
    describeOnce: (ids: readonly string[]) =>
      Promise.resolve({
        kind: 'done',
        requestId: 'r',
        value: groups().filter(({ snapshot }) => ids.includes(snapshot.containerGroupId)),
      }),
  });
  const base = { clock, logger: silentLogger, metrics: new Metrics() };
  const parts = {
    fleet: 'f',
    scope,
    client,
    store,
    streams,
    gates: { report: () => Promise.resolve() },
    sights: new Sights(new Asking()),
    scopes: new KnownScopes(known),
    orphans,
    cases: new NoCases(),
    orphanStreams: new OrphanStreams({ store, clock, ids: new SeededIds(new SeededRandom(2)) }),
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    metrics: observeMetrics(metrics),
    aside: new SetAside<GroupSnapshot>({ ...base, random: new SeededRandom(1), loop: 'observe' }),
    passedOver: new AsideItems({ ...base, loop: 'inventory' }),
  };
  return new CloudInventory(parts, new ApplySights(parts));
}

describe('an inventory of groups that ended before anybody knew of them', () => {
  const clock = new NoWaits();
  let store: InMemoryEventStore;
  let streams: StreamCommands;
  let groups: FoundGroup[];
  let orphans: NotedOrphans;

  const group = (containerGroupId: string, podUid: string, status: GroupStatus): FoundGroup => ({
    snapshot: {
      containerGroupId,
      status,
      createdAt: '2026-01-01T00:00:00Z',
      finishedAt: '2026-01-01T00:01:30Z',
    },
    identity: { fleet: 'f', clusterId: 'k1', podUid, attempt: 1 },
  });

  beforeEach(async () => {
    store = new InMemoryEventStore(new InMemoryDatabase({ clock }));
    streams = new StreamCommands({ store, clock, ids: new SeededIds(new SeededRandom(1)) });
    groups = [];
    orphans = new NotedOrphans();
    await streams.execute(STREAM, [runPod(), { type: 'ChoosePlacement', choice: placement(1) }], { actor: 'spec' });
  });

  const history = async () => (await store.loadMany([STREAM])).get(STREAM) ?? [];
  const absent = () =>
    streams.execute(
      STREAM,
      { type: 'RecordAbsent', attempt: 1, evidence: { firstAt: 1, secondAt: 2, apartMs: 60_000, ageMs: 60_000 } },
      { actor: 'spec' },
    );

  const take = (): Promise<string> =>
    inventoryOf({ clock, store, streams, orphans, groups: () => groups }).take(new AbortController().signal);

  it('names one of an attempt that was taken for absent, once, and counts what it cost', async () => {
    await absent();
    groups = [group('eci-unseen', 'u1', 'Succeeded')];

    await take();
    await take();

    const events = await history();
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['OrphanFound', 'ContainerGroupGone']);
    expect(events.filter(({ data }) => data['containerGroupId'] === 'eci-unseen')).toHaveLength(2);
    const told = events.map(({ type, data, metadata }) => ({ type, data, at: metadata.decidedAt }));
    expect(groupTimes(told as never).endedGroupSeconds).toBe(90);
  });

  it('gives a pod whose attempt is in doubt its end', async () => {
    groups = [group('eci-unseen', 'u1', 'Succeeded')];

    await take();

    expect((await streams.load(STREAM)).end).toMatchObject({ kind: 'succeeded' });
  });

  it('leaves alone one that belongs to no stream: what is over is no orphan', async () => {
    groups = [group('eci-over', 'u9', 'Failed'), group('eci-open', 'u9', 'Running')];

    await take();

    expect(orphans.noted).toEqual(['eci-open']);
  });
});

describe('lists that lack groups which nobody deleted', () => {
  const found = (containerGroupId: string, podUid: string): FoundGroup => ({
    snapshot: { containerGroupId, status: 'Running' },
    identity: { fleet: 'f', clusterId: 'k1', podUid, attempt: 1 },
  });

  const clock = new NoWaits();
  let streams: StreamCommands;
  let store: InMemoryEventStore;
  let known: Map<string, string>;
  let shown: readonly FoundGroup[];
  let metrics: Metrics;
  let inventory: CloudInventory;

  beforeEach(() => {
    store = new InMemoryEventStore(new InMemoryDatabase({ clock }));
    streams = new StreamCommands({ store, clock, ids: new SeededIds(new SeededRandom(1)) });
    [known, shown, metrics] = [new Map(), [], new Metrics()];
    inventory = inventoryOf({ clock, store, streams, groups: () => shown, known, metrics });
  });

  /** A stream whose group was made just now. */
  const make = async ({ snapshot, identity }: FoundGroup, { isSeen = true } = {}): Promise<void> => {
    const streamId = streamIdOf('k1', identity?.podUid as string);
    const { containerGroupId } = snapshot;
    known.set(containerGroupId, streamId);
    const outcome = { kind: 'done', containerGroupId, requestId: 'r' } as const;
    await streams.execute(
      streamId,
      [
        runPod(),
        { type: 'ChoosePlacement', choice: placement(1) },
        { type: 'RecordCreate', attempt: 1, outcome },
        ...(isSeen ? [{ type: 'Observe', snapshot, knew: NEWEST } as const] : []),
      ],
      { actor: 'spec' },
    );
  };
  const take = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      await inventory.take(new AbortController().signal);
      await clock.advance(90_000);
    }
  };
  const frozen = async (): Promise<number> => {
    const line = (await metrics.text()).split('\n').find((each) => each.startsWith('eci_fleet_observe_frozen{'));
    return Number(line?.split(' ').at(-1));
  };
  const open = async (): Promise<number> =>
    [...(await streams.loadMany([...known.values()])).values()].filter(({ group }) => group?.open).length;

  it.each([1, 2, 10])(
    'show that they are gone only beside one that they should show, also of a fleet with %i groups',
    async (count) => {
      const running = Array.from({ length: count }, (_, i) => found(`eci-${i}`, `u${i}`));
      for (const group of running) await make(group);
      shown = running;
      await take(1);

      // when nothing is listed: the permission may be lost, and the groups run on
      shown = [];
      await take(5);
      expect([await open(), await frozen()]).toEqual([count, 1]);

      // when a group is listed that is new, and none of them
      shown = [found('eci-new', 'u-new')];
      await take(3);
      expect([await open(), await frozen()]).toEqual([0, 0]);
    },
  );

  it('say at once that one is missing that was seen, and a minute later of one that may not be listed yet', async () => {
    await make(found('eci-1', 'u1'), { isSeen: false });
    await take(1);
    expect(await frozen()).toBe(0);
    await take(1);
    expect(await frozen()).toBe(1);

    known.clear();
    await make(found('eci-2', 'u2'));
    await take(1);
    expect(await frozen()).toBe(1);
    expect(await open()).toBe(1);
  });
});
