import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { CheckpointMoved } from '../../src/checkpoints.ts';
import type { RecordedEvent } from '../../src/event-store.ts';
import { Subscription, type SubscriptionOptions } from '../../src/subscription.ts';
import { TryLater } from '../../src/trouble.ts';
import { event, readAll, type StoreUnderTest } from './under-test.ts';

/** Sleeps pass at once: what is tested is not how long it waits. */
class Hurried extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

export function subscriptionContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a keeper of checkpoints`, () => {
    let under: StoreUnderTest;
    let seen: string[];
    beforeEach(async () => {
      under = await make();
      seen = [];
    });
    afterEach(() => under.close());

    const see = (events: readonly RecordedEvent[]): Promise<void> => {
      seen.push(...events.map((e) => `${e.streamId}${e.version}`));
      return Promise.resolve();
    };
    const reader = (owner: string, more: Partial<SubscriptionOptions<unknown>> = {}): Subscription<unknown> =>
      new Subscription({
        name: 'seen',
        owner,
        store: under.store,
        checkpoints: under.checkpoints,
        handler: see,
        batchSize: 4,
        clock: new Hurried(),
        random: new SeededRandom(1),
        ...more,
      });
    const append = async (streamId: string, expected: number, ...types: string[]): Promise<void> => {
      await under.store.append([{ streamId, expected, events: types.map((type) => event(type)) }]);
      await under.settled();
    };
    const drain = async (subscription: Subscription<unknown>): Promise<void> => {
      while ((await subscription.step()) === 'busy');
    };
    const failOn =
      (type: string) =>
      async (events: readonly RecordedEvent[]): Promise<void> => {
        if (events.some((e) => e.type === type)) throw new Error(`cannot handle ${type}`);
        await see(events);
      };

    it('hands every event over once, from where the reader before stopped', async () => {
      await append('a', 0, 'X', 'X', 'X');
      await append('b', 0, 'X', 'X', 'X');
      const first = reader('first');
      await drain(first);
      await first.leave();
      await append('a', 3, 'X');

      await drain(reader('second'));

      expect(seen).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'a4']);
    });

    it('lets one reader in at a time, and another when that one is not heard of', async () => {
      await append('a', 0, 'X');

      expect(await under.checkpoints.lease('seen', 'first', 10_000)).toEqual({
        generation: 1,
        transactionId: '0',
        position: '0',
      });
      expect(await under.checkpoints.lease('seen', 'second', 10_000)).toBeUndefined();
      expect(await under.checkpoints.lease('seen', 'first', 10_000)).toBeDefined();
      expect(await under.checkpoints.lease('other', 'second', 10_000)).toBeDefined();
      await under.advance(9_999);
      expect(await under.checkpoints.lease('seen', 'second', 10_000)).toBeUndefined();
      await under.advance(1);
      expect(await under.checkpoints.lease('seen', 'second', 10_000)).toBeDefined();
      await under.checkpoints.leave('seen', 'first');
      expect(await under.checkpoints.lease('seen', 'first', 10_000)).toBeUndefined();
    });

    it('refuses the checkpoint of one who was replaced', async () => {
      await append('a', 0, 'X', 'X');
      const [one, two] = await readAll(under);
      const from = (await under.checkpoints.lease('seen', 'first', 10))!;
      await under.advance(11);
      await under.checkpoints.lease('seen', 'second', 10_000);
      const move = (owner: string, to: RecordedEvent): Promise<void> =>
        under.checkpoints.transaction('seen', (t) => t.move(owner, from, to.cursor));

      await expect(move('first', one!)).rejects.toThrow(CheckpointMoved);
      await move('second', one!);
      await expect(move('second', two!)).rejects.toThrow(CheckpointMoved);

      expect(await under.checkpoints.lease('seen', 'second', 10_000)).toEqual(one!.cursor);
    });

    it('lets one of two transactions that read the same events commit', async () => {
      await append('a', 0, 'X');
      const [one] = await readAll(under);
      const from = (await under.checkpoints.lease('seen', 'me', 10_000))!;

      const results = await Promise.allSettled(
        [1, 2].map(() => under.checkpoints.transaction('seen', (t) => t.move('me', from, one!.cursor))),
      );

      expect(results.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected']);
    });

    it('holds a reader where it stands until the transaction ends, or undoes the transaction', async () => {
      await append('a', 0, 'X');
      const [one] = await readAll(under);
      expect(await under.checkpoints.transaction('seen', (t) => t.hold())).toBeUndefined();
      const from = (await under.checkpoints.lease('seen', 'me', 10_000))!;

      let moved: Promise<void> | undefined;
      const held = await under.checkpoints
        .transaction('seen', async (t) => {
          expect(await t.hold()).toEqual(from);
          moved = under.checkpoints.transaction('seen', (other) => other.move('me', from, one!.cursor));
          return under.catalogue.progressOf('seen');
        })
        .catch((error: unknown) => error);
      await moved;

      if (!(held instanceof TryLater)) expect(held).toEqual(from);
      expect(await under.catalogue.progressOf('seen')).toEqual(one!.cursor);
    });

    it('lets any of the parked streams flow again at once', async () => {
      for (const streamId of ['a', 'b', 'c']) await append(streamId, 0, 'Bad');
      const failing = reader('me', { handler: failOn('Bad') });
      await drain(failing);

      const parked = await under.checkpoints.transaction('seen', (t) => t.parked());
      expect([...parked].sort()).toEqual(['a', 'b', 'c']);
      await under.checkpoints.transaction('seen', (t) => t.endReplay(['a', 'c', 'absent']));

      expect(await failing.parkedStreams()).toMatchObject([{ streamId: 'b' }]);
      expect(await under.checkpoints.transaction('other', (t) => t.parked())).toEqual(new Set());
    });

    it('leaves the checkpoint where it was when the handler fails for want of something else', async () => {
      await append('a', 0, 'X');
      const away = reader('me', { handler: () => Promise.reject(new TryLater('away')) });

      await expect(away.step()).rejects.toThrow('away');
      await drain(reader('me'));

      expect(seen).toEqual(['a1']);
      expect(await away.parkedStreams()).toEqual([]);
    });

    it('parks the stream of an event that always fails, lets others flow, and replays it in order', async () => {
      await append('a', 0, 'X', 'Bad', 'X');
      await append('b', 0, 'X');
      const parked: string[] = [];
      const failing = reader('me', {
        handler: failOn('Bad'),
        onParked: ({ streamId, version }) => parked.push(`${streamId}${version}`),
      });
      await drain(failing);
      await append('a', 3, 'X');
      await append('b', 1, 'X');
      await drain(failing);

      expect([seen, parked]).toEqual([['a1', 'b1', 'b2'], ['a2']]);
      expect(await failing.parkedStreams()).toMatchObject([
        { streamId: 'a', version: 2, error: 'Error: cannot handle Bad', queued: 3 },
      ]);
      await expect(failing.replay('a')).rejects.toThrow('cannot handle');
      expect(await failing.parkedStreams()).toMatchObject([{ queued: 3 }]);

      const mended = reader('me');
      expect(await mended.replay('a')).toBe(3);
      expect(await mended.parkedStreams()).toEqual([]);
      await append('a', 4, 'X');
      await drain(mended);

      expect(seen).toEqual(['a1', 'b1', 'b2', 'a2', 'a3', 'a4', 'a5']);
    });

    it('tries a parked stream again by itself, ever more seldom, in order, until it flows', async () => {
      const clock = new Hurried();
      let broken = true;
      let tries = 0;
      const told: string[] = [];
      const healing = reader('me', {
        clock,
        handler: async (events) => {
          if (broken && events.some((e) => e.type === 'Bad')) throw new Error(`cannot handle ${(tries += 1)}`);
          await see(events);
        },
        onParked: ({ streamId, version }) => told.push(`parked ${streamId}${version}`),
        onFlowing: ({ streamId, events }) => told.push(`flowing ${streamId} ${events}`),
      });
      await append('a', 0, 'X', 'Bad', 'X');
      await append('b', 0, 'X');
      await drain(healing);
      const triesToPark = tries;
      for (let second = 0; second < 600; second++) {
        await clock.advance(1_000);
        await healing.step();
      }
      expect([seen, new Set(told)]).toEqual([['a1', 'b1'], new Set(['parked a2'])]);
      expect(tries - triesToPark).toBeGreaterThan(5);
      expect(tries - triesToPark).toBeLessThan(100);

      broken = false;
      await append('b', 1, 'X');
      await append('a', 3, 'X');
      await drain(healing);
      await clock.advance(70_000);
      await drain(healing);

      expect(seen.filter((each) => each.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4']);
      expect(seen.filter((each) => each.startsWith('b'))).toEqual(['b1', 'b2']);
      expect(told.at(-1)).toBe('flowing a 3');
      expect(await healing.parkedStreams()).toEqual([]);
    });

    it('tries what a former reader parked', async () => {
      await append('a', 0, 'X', 'Bad');
      await drain(reader('former', { handler: failOn('Bad'), leaseMs: 10 }));
      await under.advance(11);
      await drain(reader('next'));
      expect(seen).toEqual(['a1', 'a2']);
    });

    it('passes over types that nobody asked for, parked or not', async () => {
      await append('a', 0, 'X', 'Bad');
      const failing = reader('me', { handler: failOn('Bad'), types: ['Bad', 'Y'] });
      await drain(failing);
      await append('a', 2, 'X', 'Y');
      await drain(failing);

      expect(seen).toEqual([]);
      expect(await failing.parkedStreams()).toMatchObject([{ queued: 2 }]);
      expect(await reader('me', { types: ['Bad', 'Y'] }).replay('a')).toBe(2);
      expect(seen).toEqual(['a2', 'a4']);
    });
  });
}
