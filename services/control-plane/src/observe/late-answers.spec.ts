import { streamIdOf, type ContainerGroupState, type GroupSnapshot } from '#libs/domain';
import type { FoundGroup } from '#libs/eci';
import { InMemoryDatabase, InMemoryEventStore } from '#libs/event-store';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placement, runPod } from '../../../../libs/domain/spec/samples.ts';
import { eciOf } from '../../../../libs/eci/spec/eci-of.ts';
import { Asking, OrderedEciClient } from '../accounts/ordered-eci.ts';
import { SetAside } from '../streams/set-aside.ts';
import { StreamCommands } from '../streams/stream-commands.ts';
import { ApplySights } from './apply-sights.ts';
import { observeMetrics } from './metrics.ts';
import { Sights } from './sights.ts';

const ID = 'eci-1';
const STREAM = streamIdOf('k1', 'u1');

/** Appends that wait for company are sent at once. */
class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

/** A clock that may go before the others', or after them. */
class SkewedClock extends NoWaits {
  private readonly of: VirtualClock;
  private readonly byMs: number;

  constructor(of: VirtualClock, byMs: number) {
    super();
    this.of = of;
    this.byMs = byMs;
  }

  override now(): number {
    return this.of.now() + this.byMs;
  }
}

/** One group whose container restarts, and observers of it whose answers arrive when they are let through. */
class World {
  readonly clock = new NoWaits();
  private readonly store = new InMemoryEventStore(new InMemoryDatabase({ clock: this.clock }));
  private readonly streams = new StreamCommands({
    store: this.store,
    clock: this.clock,
    ids: new SeededIds(new SeededRandom(1)),
  });
  restarts = 0;

  async start(): Promise<void> {
    const outcome = { kind: 'done', containerGroupId: ID, requestId: 'r' } as const;
    await this.streams.execute(
      STREAM,
      [runPod(), { type: 'ChoosePlacement', choice: placement(1) }, { type: 'RecordCreate', attempt: 1, outcome }],
      { actor: 'spec' },
    );
  }

  state(): Promise<ContainerGroupState> {
    return this.streams.load(STREAM);
  }

  observer(aheadMs: number): Observer {
    const clock = new SkewedClock(this.clock, aheadMs);
    const { store, streams } = this;
    return new Observer(clock, () => this.seen(), { store, streams });
  }

  private seen(): GroupSnapshot {
    const container = { name: 'c', image: 'i', ready: false, restartCount: this.restarts };
    const state = { state: 'waiting', reason: 'CrashLoopBackOff' } as const;
    return { containerGroupId: ID, status: 'Running', podIp: '10.0.0.1', containers: [{ ...container, state }] };
  }
}

/** A request on its way. */
interface Request {
  /** The cloud looks now, unless it has. */
  readonly looks: () => void;
  /** Its answer is let through. */
  readonly arrives: () => Promise<unknown>;
}

class Observer {
  private readonly client: OrderedEciClient;
  private readonly apply: ApplySights;
  private looksNext: (() => void) | undefined;

  constructor(
    clock: VirtualClock,
    seen: () => GroupSnapshot,
    { store, streams }: { readonly store: InMemoryEventStore; readonly streams: StreamCommands },
  ) {
    const asking = new Asking();
    const answer = <T>(value: T) => ({ kind: 'done', requestId: 'r', value }) as const;
    const cloud = eciOf({
      changes: () =>
        new Promise((resolve) => {
          this.looksNext = () => resolve(answer({ groups: [seen()] }));
        }),
      describeOnce: () => Promise.resolve(answer([{ snapshot: seen() } as FoundGroup])),
    });
    this.client = new OrderedEciClient(cloud, asking);
    const base = { clock, logger: silentLogger, metrics: new Metrics() };
    this.apply = new ApplySights({
      scope: { accountId: 'acc', region: 'cn-hangzhou' },
      client: this.client,
      store,
      streams,
      gates: { report: () => Promise.resolve() },
      sights: new Sights(asking),
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
      metrics: observeMetrics(new Metrics()),
      aside: new SetAside({ ...base, random: new SeededRandom(1), loop: 'observe' }),
      passedOver: new AsideItems({ ...base, loop: 'observe streams' }),
    });
  }

  ask(): Request {
    const answer = this.client.changes({ fleet: 'f' }, undefined);
    const looks = this.looksNext!;
    return {
      looks,
      arrives: async () => {
        looks();
        const answered = await answer;
        return this.apply.byStatus(answered.kind === 'done' ? answered.value.groups : []);
      },
    };
  }

  /** One round: the answer comes at once. */
  async look(): Promise<void> {
    await this.ask().arrives();
  }
}

const restartsOf = ({ group }: ContainerGroupState): number | undefined => group?.containers[0]?.restartCount;

describe('observers of one group', () => {
  const aheadMs = fc.integer({ min: -3_600_000, max: 3_600_000 });

  it('count each restart once, whatever their clocks say, whenever the cloud looks, and in whatever order its answers come', async () => {
    const step = fc.oneof(
      fc.constant('restart' as const),
      fc.record({ asks: fc.nat(1) }),
      fc.record({ looks: fc.nat(5) }),
      fc.record({ arrives: fc.nat(5) }),
    );
    const steps = fc.array(step, { maxLength: 25, size: 'max' });
    await fc.assert(
      fc.asyncProperty(steps, fc.tuple(aheadMs, aheadMs), async (taken, [one, other]) => {
        const world = new World();
        await world.start();
        const observers = [world.observer(one), world.observer(other)];
        const onTheirWay: Request[] = [];
        for (const each of taken) {
          await world.clock.advance(10);
          if (each === 'restart') world.restarts += 1;
          else if ('asks' in each) onTheirWay.push(observers[each.asks]!.ask());
          else if ('looks' in each) onTheirWay[each.looks]?.looks();
          else await onTheirWay.splice(each.arrives, 1)[0]?.arrives();
          expect(restartsOf(await world.state()) ?? 0).toBeLessThanOrEqual(world.restarts);
        }
        for (const { arrives } of onTheirWay.reverse()) await arrives();
        // One that is told for the first time what the stream holds asks once more.
        for (let round = 0; round < 2; round++) await observers[0]!.look();

        expect(restartsOf(await world.state())).toBe(world.restarts);
      }),
    );
  });

  it('agree within two rounds, however far apart their clocks are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aheadMs, { minLength: 2, maxLength: 4 }), async (skews) => {
        const world = new World();
        await world.start();
        for (const ahead of skews) {
          // each takes the place of the one before, as when a lease goes on
          const observer = world.observer(ahead);
          world.restarts += 1;
          for (let round = 0; round < 2; round++) {
            await world.clock.advance(1_000);
            await observer.look();
          }
          expect(restartsOf(await world.state())).toBe(world.restarts);
        }
      }),
    );
  });
});
