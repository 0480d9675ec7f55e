import { initialState, streamIdOf, type GroupSnapshot } from '#libs/domain';
import type { TagFilter } from '#libs/eci';
import type { EventStore } from '#libs/event-store';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { eciOf } from '../../../../libs/eci/spec/eci-of.ts';
import { Asking } from '../accounts/ordered-eci.ts';
import { OrphanStreams } from '../orphans/orphan-streams.ts';
import { OrphanCases } from '../orphans/ports.ts';
import { aliasOf } from '../streams/alias.ts';
import { SetAside } from '../streams/set-aside.ts';
import { StreamCommands } from '../streams/stream-commands.ts';
import { observeMetrics } from './metrics.ts';
import { Orphans, Scopes } from './ports.ts';
import { ScopeObserver } from './scope-observer.ts';
import { Sights } from './sights.ts';

const scope = { accountId: 'acc', region: 'r' };

/** A cloud whose answers are scripted, in front of streams that take nothing. */
class ScriptedCloud {
  readonly asked: {
    readonly filter: TagFilter;
    readonly since: number | undefined;
    readonly cursor: string | undefined;
  }[] = [];
  /** Ids of each read of details. */
  readonly reads: (readonly string[])[] = [];
  refusesReads = false;
  pages: readonly (readonly GroupSnapshot[])[] = [[]];
  takesMs = 0;
  fails = 0;
  private readonly clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  readonly client = eciOf({
    changes: async (filter: TagFilter, since: number | undefined, cursor?: string) => {
      this.asked.push({ filter, since, cursor });
      if (this.takesMs > 0) await this.clock.sleep(this.takesMs);
      if (this.fails > 0) {
        this.fails -= 1;
        return { kind: 'refused', code: 'Throttling', class: 'THROTTLED', message: '' };
      }
      const page = Number(cursor ?? 0);
      const next = page + 1 < this.pages.length ? { next: String(page + 1) } : {};
      return { kind: 'done', requestId: 'r', value: { groups: this.pages[page] ?? [], ...next } };
    },
    list: () => Promise.resolve({ kind: 'unknown', reason: 'not asked here' }),
    describeOnce: (ids: readonly string[]) => {
      this.reads.push(ids);
      return Promise.resolve(
        this.refusesReads
          ? { kind: 'refused', code: 'Throttling', class: 'THROTTLED', message: '' }
          : { kind: 'done', requestId: 'r', value: [] },
      );
    },
  });
}

class KnownScopes extends Scopes {
  known = new Map<string, string>();
  ensure = () => Promise.resolve();
  all = () => Promise.resolve([scope]);
  hold = () => Promise.resolve({});
  note = () => Promise.resolve();
  leave = () => Promise.resolve();
  knownGroups = () => Promise.resolve(this.known);
}

class NoOrphans extends Orphans {
  note = () => Promise.resolve(new Map());
  keepOnly = () => Promise.resolve();
}

class NoCases extends OrphanCases {
  open = () => Promise.resolve([]);
  overdue = () => Promise.resolve([]);
}

/** Somebody sets it. */
class SettableClock extends VirtualClock {
  setBy = 0;

  override now(): number {
    return super.now() + this.setBy;
  }
}

describe('watching a place', () => {
  let clock: SettableClock;
  let cloud: ScriptedCloud;
  let scopes: KnownScopes;
  let observer: ScopeObserver;
  let aliases: Map<string, string>;
  let unreadable: { readonly streamId: string; readonly error: Error } | undefined;
  let sights: Sights;
  const never = new AbortController().signal;

  beforeEach(() => {
    clock = new SettableClock();
    cloud = new ScriptedCloud(clock);
    scopes = new KnownScopes();
    aliases = new Map();
    unreadable = undefined;
    const store = {
      findByAlias: () => Promise.resolve(aliases),
      loadMany: (ids: readonly string[]) =>
        unreadable && ids.includes(unreadable.streamId)
          ? Promise.reject(unreadable.error)
          : Promise.resolve(new Map([['', initialState]])),
    } as unknown as EventStore;
    const asking = new Asking();
    sights = new Sights(asking);
    const base = { clock, logger: silentLogger, metrics: new Metrics() };
    observer = new ScopeObserver(
      {
        fleet: 'f',
        scope,
        client: cloud.client,
        store,
        streams: new StreamCommands({ store, clock, ids: new SeededIds(new SeededRandom(1)) }),
        gates: { report: () => Promise.resolve() },
        asking,
        sights,
        scopes,
        orphans: new NoOrphans(),
        cases: new NoCases(),
        orphanStreams: new OrphanStreams({ store, clock, ids: new SeededIds(new SeededRandom(2)) }),
        clock,
        random: new SeededRandom(1),
        logger: silentLogger,
        metrics: observeMetrics(new Metrics()),
        aside: new SetAside({ ...base, random: new SeededRandom(1), loop: 'observe' }),
        passedOver: new AsideItems({ ...base, loop: 'inventory' }),
      },
      {},
    );
  });

  const step = async (): Promise<number> => {
    const next = observer.step(never);
    // Lets it come to its first wait.
    await clock.advance(0);
    await clock.advance(60_000 * Math.ceil(cloud.takesMs / 60_000));
    return next;
  };

  it('looks at everything first, then at what changed since', async () => {
    await step();
    await clock.advance(await step());
    await step();
    expect(cloud.asked.map(({ since }) => since)).toEqual([undefined, 60]);
  });

  it('follows the pages to their end', async () => {
    cloud.pages = [[], [], []];
    await step();
    expect(cloud.asked.map(({ cursor }) => cursor)).toEqual([undefined, '1', '2']);
    expect(observer.observed.sweptAt).toBe(clock.now());
  });

  it('takes an incomplete sweep for none: the next one looks back as far', async () => {
    await step();
    await clock.advance(5_000);
    cloud.fails = 1;
    const began = observer.observed.sweptAt;
    await clock.advance(await step());
    expect(observer.observed.sweptAt).toBe(began);
    await clock.advance(120_000);
    await step();
    expect(cloud.asked.at(-1)?.since).toBeGreaterThan(120);
  });

  it('goes on when the clock is set back, or jumps ahead in the middle of a sweep', async () => {
    await step();
    await step();
    const before = cloud.asked.length;
    clock.setBy -= 300_000;
    await step();
    await clock.advance(2_000);
    await step();
    expect(cloud.asked.length).toBeGreaterThan(before);

    // an hour passes while one page is read: the next sweep does not wait for half an hour
    cloud.takesMs = 3_600_000;
    await clock.advance(5_000);
    await step();
    cloud.takesMs = 0;
    const then = cloud.asked.length;
    await clock.advance(31_000);
    await step();
    expect(cloud.asked.length).toBeGreaterThan(then);
  });

  it('splits a chain that takes long by cluster', async () => {
    scopes.known = new Map([
      ['g1', streamIdOf('k1', 'u1')],
      ['g2', streamIdOf('k2', 'u2')],
      ['g3', streamIdOf('k2', 'u3')],
    ]);
    cloud.takesMs = 2_500;
    await step();
    cloud.takesMs = 0;
    await clock.advance(60_000);
    await step();
    expect(cloud.asked.map(({ filter }) => filter)).toEqual([
      { fleet: 'f' },
      { fleet: 'f', clusterId: 'k1' },
      { fleet: 'f', clusterId: 'k2' },
    ]);
  });

  describe('with groups that have landed and do not start', () => {
    const stuck = (count: number): readonly string[] =>
      Array.from({ length: count }, (_, index) => {
        const id = `eci-${index}`;
        sights.details.learn(id, { settled: false, changed: false, now: clock.now() });
        return id;
      });
    /** Reads of details in so many minutes of steps. */
    const readsIn = async (minutes: number): Promise<readonly (readonly string[])[]> => {
      const before = cloud.reads.length;
      const until = clock.now() + minutes * 60_000;
      while (clock.now() < until) await clock.advance(await step());
      return cloud.reads.slice(before);
    };

    it.each([
      { groups: 1, calls: 1 },
      { groups: 20, calls: 1 },
      { groups: 1_000, calls: 50 },
      { groups: 20_000, calls: 300 },
    ])(
      'reads details at most $calls times a minute, of $groups groups, and each in its turn',
      { timeout: 60_000 },
      async ({ groups, calls }) => {
        const ids = stuck(groups);
        await readsIn(5);

        const reads = await readsIn(10);

        expect(reads.length / 10).toBeLessThanOrEqual(calls);
        expect(new Set(reads.flat())).toEqual(new Set(ids));
      },
    );

    it('leaves the quota to others while the cloud refuses', async () => {
      stuck(1_000);
      cloud.refusesReads = true;

      expect((await readsIn(5)).length / 5).toBeLessThanOrEqual(8);
    });
  });

  describe('with groups of three streams', () => {
    const groups = ['g1', 'g2', 'g3'];
    const aliasFor = (id: string): string => aliasOf(scope.accountId, scope.region, id);

    beforeEach(() => {
      aliases = new Map(groups.map((id) => [aliasFor(id), streamIdOf('k', id)]));
      cloud.pages = [groups.map((id) => ({ containerGroupId: id, status: 'Running' }) as GroupSnapshot)];
    });

    it.each(groups)('ends its sweep and meets the others when the stream of %s cannot be read', async (bad) => {
      unreadable = { streamId: streamIdOf('k', bad), error: new Error('poisoned') };
      await step();
      expect(observer.observed.sweptAt).toBeDefined();
      expect(groups.filter((id) => sights.get(id))).toEqual(groups.filter((id) => id !== bad));
      // it reads again: the group is met like the others
      unreadable = undefined;
      await clock.advance(10_000);
      await step();
      expect(groups.filter((id) => sights.get(id))).toEqual(groups);
    });

    it('ends the round, and blames no group, when the database is away', async () => {
      const error = Object.assign(new Error('terminating connection'), { code: '57P01' });
      unreadable = { streamId: streamIdOf('k', 'g2'), error };
      await expect(observer.step(never)).rejects.toBe(error);
      expect(observer.observed.sweptAt).toBeUndefined();
    });
  });
});
