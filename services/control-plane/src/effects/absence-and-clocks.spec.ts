import { streamIdOf, type ContainerGroupCommand, type ContainerGroupState, type GroupSnapshot } from '#libs/domain';
import type { FoundGroup } from '#libs/eci';
import { InMemoryDatabase, InMemoryEffectQueue, InMemoryEventStore } from '#libs/event-store';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, type Clock } from '#libs/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEWEST, placement, runPod, stopPod } from '../../../../libs/domain/spec/samples.ts';
import { eciOf } from '../../../../libs/eci/spec/eci-of.ts';
import { NoWaits } from '../../spec/effects/one-pod.ts';
import { WitnessedReads } from '../evidence/witnessed-reads.ts';
import { StreamCommands } from '../streams/stream-commands.ts';
import { ConfirmEffects } from './confirm-effects.ts';
import { DeleteEffects } from './delete-effects.ts';
import { EachRow } from './each-row.ts';
import { LEASE_MS, Releases, type EffectHandler } from './held-effect.ts';
import { LookUpEffects } from './look-up-effects.ts';
import { effectMetrics } from './metrics.ts';
import type { EffectParts } from './ports.ts';

const FLEET = 'f';
const GROUP = 'eci-1';
const OTHER = 'eci-other';
const STREAM = streamIdOf('k1', 'u1');
const OTHERS_STREAM = streamIdOf('k1', 'u2');
const SECOND = 1_000;

/** A clock that is off by as much as it pleases. */
class WrongClock extends NoWaits {
  private readonly of: Clock;
  byMs: number;

  constructor(of: Clock, byMs: number) {
    super();
    this.of = of;
    this.byMs = byMs;
  }

  override now(): number {
    return this.of.now() + this.byMs;
  }
}

interface Blind {
  readonly fromMs: number;
  readonly forMs: number;
  /** Deletes are refused as well. */
  readonly deletesToo: boolean;
}

interface CloudPlan {
  /** When the group is made, and when reads and deletes begin to know it; milliseconds from now. Undefined: never made. */
  readonly madeMs?: number;
  readonly knownMs?: number;
  /** Another group of the fleet is there, so that every read shows something. */
  readonly other: boolean;
  /** The permission to see is taken, milliseconds from now: every read is empty meanwhile. */
  readonly blind?: Blind;
  /** What a delete of what the cloud does not know is answered. Default `not-found`. */
  readonly deleteOfUnknown?: 'done' | 'not-found';
}

/** A cloud that knows of a new group only after a while, in reads and deletes alike. */
class LaggingCloud {
  private readonly clock: Clock;
  private readonly plan: CloudPlan;
  private readonly startedAt: number;
  deletedAt: number | undefined;

  constructor(clock: Clock, plan: CloudPlan) {
    this.clock = clock;
    this.plan = plan;
    this.startedAt = clock.now();
  }

  private get passedMs(): number {
    return this.clock.now() - this.startedAt;
  }

  /** It is there, or may still come, whoever knows it. */
  get exists(): boolean {
    return this.plan.madeMs !== undefined && this.deletedAt === undefined;
  }

  private get isKnown(): boolean {
    return this.exists && this.passedMs >= (this.plan.knownMs ?? Infinity);
  }

  private get isBlind(): boolean {
    const { fromMs = 0, forMs = 0 } = this.plan.blind ?? {};
    return this.passedMs >= fromMs && this.passedMs < fromMs + forMs;
  }

  /** What whoever looks beside the effects is shown of the group. */
  get sight(): GroupSnapshot | undefined {
    return this.groups().find(({ snapshot }) => snapshot.containerGroupId === GROUP)?.snapshot;
  }

  private groups(): FoundGroup[] {
    if (this.isBlind) return [];
    const group = (containerGroupId: string, podUid: string): FoundGroup => ({
      snapshot: { containerGroupId, status: 'Running' },
      identity: { fleet: FLEET, clusterId: 'k1', podUid, attempt: 1 },
    });
    return [...(this.isKnown ? [group(GROUP, 'u1')] : []), ...(this.plan.other ? [group(OTHER, 'u2')] : [])];
  }

  readonly client = eciOf({
    list: async ({ podUid }: { podUid?: string }) => ({
      kind: 'done',
      requestId: 'r',
      value: { groups: this.groups().filter((group) => podUid === undefined || group.identity?.podUid === podUid) },
    }),
    describeOnce: async (ids: readonly string[]) => ({
      kind: 'done',
      requestId: 'r',
      value: this.groups().filter(({ snapshot }) => ids.includes(snapshot.containerGroupId)),
    }),
    delete: async (id: string) => {
      if (this.isBlind && this.plan.blind?.deletesToo) return { kind: 'refused', code: 'Forbidden.RAM', class: 'AUTH' };
      if (id !== GROUP || !this.isKnown) return { kind: this.plan.deleteOfUnknown ?? 'not-found', requestId: 'r' };
      this.deletedAt = this.passedMs;
      return { kind: 'done', requestId: 'r' };
    },
  });
}

interface Clocks {
  /** How far the replicas' clocks are ahead, milliseconds. */
  readonly aheadMs: readonly number[];
  /** The database's is set forward once, so many seconds after the beginning. */
  readonly setAtSecond: number;
  readonly setByMs: number;
}

/** Replicas whose clocks differ, in front of one database, whose clock alone says when work is due. */
class World {
  readonly clock = new NoWaits();
  readonly cloud: LaggingCloud;
  private readonly databaseClock = new WrongClock(this.clock, 0);
  private readonly database = new InMemoryDatabase({ clock: this.databaseClock });
  private readonly store = new InMemoryEventStore(this.database);
  private readonly queue = new InMemoryEffectQueue(this.database);
  private readonly replicas: { readonly streams: StreamCommands; readonly handlers: readonly EffectHandler[] }[];
  private readonly clocks: Clocks;
  private claims = 0;
  /** Seconds between sweeps. */
  observeEvery = Infinity;

  constructor(plan: CloudPlan, clocks: Clocks) {
    this.clocks = clocks;
    this.cloud = new LaggingCloud(this.clock, plan);
    this.replicas = clocks.aheadMs.map((ahead, index) => this.replica(new WrongClock(this.clock, ahead), index));
  }

  private replica(clock: Clock, index: number) {
    const { store, queue, cloud } = this;
    const random = new SeededRandom(index + 1);
    const streams = new StreamCommands({ store, clock, ids: new SeededIds(random) });
    const metrics = effectMetrics(new Metrics());
    const releases = new Releases(queue, random);
    const aside = new AsideItems({ clock, logger: silentLogger, metrics: new Metrics(), loop: 'effects' });
    const rows = new EachRow({ queue, releases, aside, metrics, logger: silentLogger });
    const parts = {
      fleet: FLEET,
      store,
      queue,
      streams,
      clients: { for: () => Promise.resolve(cloud.client) },
      scopes: {
        knownGroups: () => Promise.resolve(new Map([[GROUP, STREAM] as const, [OTHER, OTHERS_STREAM] as const])),
      },
      clock,
      random,
      logger: silentLogger,
    } as unknown as EffectParts;
    const tools = { releases, metrics, rows, reads: new WitnessedReads(parts) };
    const handlers = [
      new LookUpEffects(parts, tools),
      new DeleteEffects(parts, tools),
      new ConfirmEffects(parts, tools),
    ];
    return { streams, handlers };
  }

  async say(by: number, ...commands: readonly ContainerGroupCommand[]): Promise<void> {
    await this.replicas[by % this.replicas.length]!.streams.execute(STREAM, commands, { actor: 'spec' });
  }

  /** The other group has a stream, so that it is known that it should be there. */
  async knowTheOther(): Promise<void> {
    const outcome = { kind: 'done', containerGroupId: OTHER, requestId: 'r' } as const;
    const commands = [...placed, { type: 'RecordCreate', attempt: 1, outcome } as const];
    await this.replicas[0]!.streams.execute(OTHERS_STREAM, commands, { actor: 'spec' });
  }

  /** The sweep beside the effects. */
  private async observe(): Promise<void> {
    const { sight } = this.cloud;
    if (sight) await this.say(0, { type: 'Observe', snapshot: sight, knew: NEWEST });
  }

  state(): Promise<ContainerGroupState> {
    return this.replicas[0]!.streams.load(STREAM);
  }

  /** One replica takes what is due. */
  async turn(by: number): Promise<void> {
    const { handlers } = this.replicas[by % this.replicas.length]!;
    for (const lane of await this.queue.dueLanes()) {
      for (const handler of handlers) {
        const claimId = `00000000-0000-4000-8000-${`${++this.claims}`.padStart(12, '0')}`;
        const rows = await this.queue.claim({ lane, kinds: [handler.kind], max: 10, claimId, leaseMs: LEASE_MS });
        if (rows.length > 0) await handler.run(rows, () => undefined);
      }
    }
  }

  /** Until `done`, and not longer than so many seconds; returns how many it took. */
  async run(turns: readonly number[], seconds: number, done: (state: ContainerGroupState) => boolean): Promise<number> {
    for (let second = 0; second < seconds; second++) {
      if (second === this.clocks.setAtSecond) this.databaseClock.byMs = this.clocks.setByMs;
      await this.clock.advance(SECOND);
      await this.turn(turns[second % turns.length]!);
      if (second % this.observeEvery === this.observeEvery - 1) await this.observe();
      if (done(await this.state())) return second + 1;
    }
    return Infinity;
  }
}

const offBy = (mostMs: number): fc.Arbitrary<Clocks> =>
  fc.record({
    aheadMs: fc.array(fc.integer({ min: -mostMs, max: mostMs }), { minLength: 2, maxLength: 3 }),
    setAtSecond: fc.nat(180),
    setByMs: fc.integer({ min: 0, max: 120_000 }),
  });
const clocks = offBy(3_600_000);
const turns = fc.array(fc.nat(2), { minLength: 1, maxLength: 40 });
const lagMs = fc.integer({ min: 0, max: 55_000 });
const placed = [runPod(), { type: 'ChoosePlacement', choice: placement(1) } as const];
const isGone = ({ group }: ContainerGroupState): boolean => group?.gone === true;

describe('whatever the clocks of replicas say', () => {
  it('a group that the cloud does not know of yet is not taken for gone, and is deleted', async () => {
    await fc.assert(
      fc.asyncProperty(clocks, turns, lagMs, fc.boolean(), async (off, order, knownMs, other) => {
        const world = new World({ madeMs: 0, knownMs, other }, off);
        const outcome = { kind: 'done', containerGroupId: GROUP, requestId: 'r' } as const;
        await world.say(0, ...placed, { type: 'RecordCreate', attempt: 1, outcome });
        await world.say(1, stopPod());

        const seconds = await world.run(order, 180, isGone);

        expect(world.cloud.exists).toBe(false);
        expect(seconds).toBeLessThan(150);
      }),
    );
  });

  it('a group that was never made known and is gone does not keep its pod for longer than two minutes', async () => {
    await fc.assert(
      fc.asyncProperty(clocks, turns, fc.boolean(), async (off, order, other) => {
        const world = new World({ other }, off);
        const outcome = { kind: 'done', containerGroupId: GROUP, requestId: 'r' } as const;
        await world.say(0, ...placed, { type: 'RecordCreate', attempt: 1, outcome });
        await world.say(1, stopPod());

        expect(await world.run(order, 180, isGone)).toBeLessThan(120);
      }),
    );
  });

  it('a group whose create was never answered is found, though it comes at the deadline of the call and is not listed at once', async () => {
    const late = fc.record({ madeMs: fc.integer({ min: 0, max: 44_000 }), lag: lagMs });
    await fc.assert(
      fc.asyncProperty(clocks, turns, late, async (off, order, { madeMs, lag }) => {
        const world = new World({ madeMs, knownMs: madeMs + lag, other: true }, off);
        await world.say(0, ...placed, { type: 'RecordCreate', attempt: 1, outcome: { kind: 'unknown', reason: 'x' } });

        await world.run(order, 400, ({ attempt }) => attempt?.outcome === 'open' || attempt?.outcome === 'absent');

        expect((await world.state()).attempt?.outcome).toBe('open');
      }),
    );
  });

  it('an attempt that made nothing is settled within four minutes, and its pod is placed anew', async () => {
    await fc.assert(
      fc.asyncProperty(offBy(1_200_000), turns, async (off, order) => {
        const world = new World({ other: true }, off);
        await world.say(0, ...placed, { type: 'RecordCreate', attempt: 1, outcome: { kind: 'unknown', reason: 'x' } });

        const seconds = await world.run(order, 400, ({ attempt }) => attempt?.outcome === 'absent');

        expect(seconds).toBeLessThan(240);
        expect((await world.state()).end).toBeUndefined();
      }),
    );
  });
});

describe('while the permission to see is taken, once, whenever and for however long', () => {
  const blind = fc.record({
    fromMs: fc.integer({ min: 0, max: 180_000 }),
    forMs: fc.integer({ min: 0, max: 300_000 }),
    deletesToo: fc.boolean(),
  });
  const deleteOfUnknown = fc.constantFrom('done', 'not-found');
  const observeEvery = fc.integer({ min: 1, max: 30 });
  const still = offBy(0).map((off) => ({ ...off, setByMs: 0 }));

  it.each([{ other: true }, { other: false }])(
    'a group is not taken for gone that runs, though its delete was accepted before the cloud knew it (others: $other)',
    async ({ other }) => {
      await fc.assert(
        fc.asyncProperty(
          still,
          turns,
          lagMs,
          blind,
          deleteOfUnknown,
          observeEvery,
          async (off, order, knownMs, when, answer, every) => {
            const world = new World({ madeMs: 0, knownMs, other, blind: when, deleteOfUnknown: answer }, off);
            world.observeEvery = every;
            const outcome = { kind: 'done', containerGroupId: GROUP, requestId: 'r' } as const;
            if (other) await world.knowTheOther();
            await world.say(0, ...placed, { type: 'RecordCreate', attempt: 1, outcome });
            await world.say(1, stopPod());

            const seconds = await world.run(order, 800, isGone);

            expect(world.cloud.exists).toBe(false);
            expect(seconds).toBeLessThan(700);
          },
        ),
        { numRuns: 300 },
      );
    },
  );

  it('an attempt is not taken for absent that made a group', async () => {
    await fc.assert(
      fc.asyncProperty(still, turns, lagMs, blind, async (off, order, lag, when) => {
        const world = new World({ madeMs: 1_000, knownMs: 1_000 + lag, other: true, blind: when }, off);
        await world.knowTheOther();
        await world.say(0, ...placed, { type: 'RecordCreate', attempt: 1, outcome: { kind: 'unknown', reason: 'x' } });

        await world.run(order, 800, ({ attempt }) => attempt?.outcome === 'open' || attempt?.outcome === 'absent');

        expect((await world.state()).attempt?.outcome).toBe('open');
      }),
    );
  });
});
