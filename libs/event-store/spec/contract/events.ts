import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BEGINNING } from '../../src/cursor.ts';
import { InboxMoved, type EventStore, type StreamAppend } from '../../src/event-store.ts';
import { event, put, readAll, spoil, type StoreUnderTest } from './under-test.ts';

export function eventContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as an event store`, () => {
    let under: StoreUnderTest;
    let store: EventStore;
    beforeEach(async () => {
      under = await make();
      store = under.store;
    });
    afterEach(() => under.close());

    const open = async (streamId: string, more: Partial<StreamAppend> = {}): Promise<void> => {
      const [result] = await store.append([{ streamId, expected: 0, events: [event('Opened')], ...more }]);
      expect(result).toMatchObject({ ok: true });
    };

    it('gives back what was appended, in order of version', async () => {
      const events = [
        event('Opened', { n: 1.5, text: 'ü€𝄞', nested: { list: [null, true, -0, 1e21] } }),
        event('Moved'),
      ];

      const results = await store.append([{ streamId: 's:1', expected: 0, events }]);

      expect(results).toEqual([{ ok: true, streamId: 's:1', version: 2, removedEffects: [] }]);
      const loaded = (await store.loadMany(['s:1', 's:absent'])).get('s:1')!;
      expect(loaded.map((e) => e.version)).toEqual([1, 2]);
      expect(loaded[0]).toMatchObject({
        ...events[0]!,
        data: { n: 1.5, text: 'ü€𝄞', nested: { list: [null, true, 0, 1e21] } },
      });
      expect(loaded[1]).toMatchObject(events[1]!);
      expect((await store.loadMany(['s:absent'])).size).toBe(0);
    });

    it('lets a conflict concern its stream only, and answers in the order of the call', async () => {
      await open('s:b');

      const results = await store.append([
        { streamId: 's:c', expected: 1, events: [event()] },
        { streamId: 's:b', expected: 1, events: [event(), event()] },
        { streamId: 's:a', expected: 0, events: [event()] },
        { streamId: 's:b2', expected: 7, events: [] },
      ]);

      expect(results.map((r) => [r.streamId, r.ok ? r.version : r.reason])).toEqual([
        ['s:c', 'conflict'],
        ['s:b', 3],
        ['s:a', 1],
        ['s:b2', 'conflict'],
      ]);
      expect([...(await store.loadMany(['s:a', 's:b', 's:b2', 's:c'])).keys()].sort()).toEqual(['s:a', 's:b']);
    });

    it('lets one of four writers with the same expected version win', async () => {
      await open('s:1');

      const results = await Promise.all(
        [1, 2, 3, 4].map((writer) =>
          store.append([{ streamId: 's:1', expected: 1, events: [event('Won', { writer })] }]),
        ),
      );

      expect(results.flat().filter((r) => r.ok)).toHaveLength(1);
      expect((await store.loadMany(['s:1'])).get('s:1')).toHaveLength(2);
    });

    it('lets one of four writers open a stream', async () => {
      const results = await Promise.all(
        [1, 2, 3, 4].map(() => store.append([{ streamId: 's:new', expected: 0, events: [event()] }])),
      );

      expect(results.flat().filter((r) => r.ok)).toHaveLength(1);
    });

    it('checks the version also when only rows beside the stream change', async () => {
      await open('s:1');

      const results = await store.append([{ streamId: 's:1', expected: 1, events: [], effects: [put('next')] }]);
      const stale = await store.append([{ streamId: 's:1', expected: 0, events: [], effects: [put('other')] }]);

      expect(results).toEqual([{ ok: true, streamId: 's:1', version: 1, removedEffects: [] }]);
      expect(stale).toEqual([{ ok: false, streamId: 's:1', reason: 'conflict' }]);
      const claimed = await under.effects.claim({
        lane: 'lane',
        kinds: ['Place'],
        max: 9,
        claimId: 'w',
        leaseMs: 1000,
      });
      expect(claimed.map((row) => row.key)).toEqual(['next']);
    });

    it('refuses what could never be stored, saying where', async () => {
      const twice = { streamId: 's:1', expected: 0, events: [event()] };
      await expect(store.append([twice, twice])).rejects.toThrow('s:1 twice');
      await expect(store.append([{ streamId: 's:1', expected: -1, events: [event()] }])).rejects.toThrow('s:1');
      await expect(
        store.append([{ streamId: 's:1', expected: 0, events: [event('Odd', { text: 'a\0b' })] }]),
      ).rejects.toThrow('U+0000');
      await expect(
        store.append([{ streamId: 's:1', expected: 0, events: [event('Odd', { n: NaN })] }]),
      ).rejects.toThrow('Odd');
      await expect(
        store.append([{ streamId: 's:1', expected: 0, events: [{ ...event(), eventId: 'x' }] }]),
      ).rejects.toThrow('UUID');
      expect((await store.loadMany(['s:1'])).size).toBe(0);
    });

    it('keeps text that only looks like the character 0', async () => {
      await store.append([{ streamId: 's:1', expected: 0, events: [event('Fine', { text: 'a\\u0000b' })] }]);

      expect((await store.loadMany(['s:1'])).get('s:1')![0]!.data).toEqual({ text: 'a\\u0000b' });
    });

    it('reads every event once in one order, page by page', async () => {
      await open('s:1');
      await open('s:2');
      await store.append([
        { streamId: 's:2', expected: 1, events: [event(), event()] },
        { streamId: 's:1', expected: 1, events: [event()] },
      ]);

      for (const page of [1, 2, 100]) {
        const events = await readAll(under, BEGINNING, page);
        expect(events).toHaveLength(5);
        for (const id of ['s:1', 's:2']) {
          const versions = events.filter((e) => e.streamId === id).map((e) => e.version);
          expect(versions).toEqual(versions.map((_, i) => i + 1));
        }
      }
    });

    it('gives a reader at the end a cursor from which it sees what comes later', async () => {
      await open('s:1');
      const { next } = await under.store.readAll((await readAll(under)).at(-1)!.cursor, 10);

      await open('s:2');

      expect((await readAll(under, next)).map((e) => e.streamId)).toEqual(['s:2']);
    });

    it('never lets the times of a stream run backwards', async () => {
      await open('s:1');

      await under.advance(-3_600_000);
      await store.append([{ streamId: 's:1', expected: 1, events: [event()] }]);

      const [first, second] = (await store.loadMany(['s:1'])).get('s:1')!;
      expect(second!.recordedAt >= first!.recordedAt).toBe(true);
    });

    it('gives all events of one append the same time, whenever their streams were opened', async () => {
      await open('s:1');
      await under.advance(1_000);
      await store.append([
        { streamId: 's:1', expected: 1, events: [event(), event()] },
        { streamId: 's:2', expected: 0, events: [event()] },
      ]);

      const streams = await store.loadMany(['s:1', 's:2']);
      const [before, ...times] = [...streams.get('s:1')!, ...streams.get('s:2')!].map((e) => Date.parse(e.recordedAt));
      expect(times.map((at) => at - before!)).toEqual([1_000, 1_000, 1_000]);
    });

    it('goes on after a time that stepped back, from the last time of each stream', async () => {
      await open('s:1');
      await under.advance(-3_600_000);
      await open('s:2');
      await under.advance(1_800_000);
      await store.append(['s:1', 's:2'].map((streamId) => ({ streamId, expected: 1, events: [event()] })));

      const times = (id: string): Promise<number[]> =>
        store.loadMany([id]).then((streams) => streams.get(id)!.map((e) => Date.parse(e.recordedAt)));
      const [ahead, behind] = [await times('s:1'), await times('s:2')];
      expect([ahead[1]! - ahead[0]!, behind[1]! - behind[0]!]).toEqual([0, 1_800_000]);
      // Readers see them in order of their commits all the same.
      expect((await readAll(under)).map((e) => `${e.streamId}/${e.version}`)).toEqual([
        's:1/1',
        's:2/1',
        's:1/2',
        's:2/2',
      ]);
    });

    it('marks a stream as closed once it is told, and still takes its events', async () => {
      await open('s:1');
      await open('s:2', { closed: true });
      await store.append([{ streamId: 's:1', expected: 1, events: [event('Late')], closed: false }]);
      expect(await under.closedStreams()).toEqual(['s:2']);

      await store.append([
        { streamId: 's:1', expected: 2, events: [], closed: true },
        { streamId: 's:2', expected: 1, events: [event('Late')] },
        { streamId: 's:3', expected: 4, events: [event()], closed: true },
      ]);

      expect(await under.closedStreams()).toEqual(['s:1', 's:2']);
    });

    it('keeps its events to itself', async () => {
      const data = { list: [{ n: 1 }] };
      await store.append([{ streamId: 's:1', expected: 0, events: [event('Kept', data)] }]);
      data.list[0]!.n = 2;
      const first = (await store.loadMany(['s:1'])).get('s:1')!;
      spoil(first[0]!.data);
      spoil(first[0]!.metadata);
      spoil((await readAll(under))[0]!.data);

      const [again] = (await store.loadMany(['s:1'])).get('s:1')!;
      expect(again!.data).toEqual({ list: [{ n: 1 }] });
      expect(again!.metadata.actor).toBe('test');
    });

    it('finds a stream by its aliases; the first to take one keeps it', async () => {
      await open('s:1', { aliases: ['eci:1', 'eci:2', 'eci:1'] });
      await open('s:2', { aliases: ['eci:2'] });

      expect(await store.findByAlias(['eci:1', 'eci:2', 'eci:3'])).toEqual(
        new Map([
          ['eci:1', 's:1'],
          ['eci:2', 's:1'],
        ]),
      );
    });

    it('keeps the sealed part until it is destroyed', async () => {
      const sealed = { wrappedKey: Buffer.from([1, 2]), keyId: 'k1', sealed: Buffer.from([0, 255]) };
      await open('s:1', { sealed: { put: sealed } });
      const kept = (await store.readSealed(['s:1', 's:2'])).get('s:1')!;
      expect([kept.keyId, [...kept.wrappedKey], [...kept.sealed]]).toEqual(['k1', [1, 2], [0, 255]]);

      await store.append([
        { streamId: 's:1', expected: 1, events: [event()], sealed: { put: { ...sealed, keyId: 'k2' } } },
      ]);
      expect((await store.readSealed(['s:1'])).get('s:1')!.keyId).toBe('k2');

      await store.append([{ streamId: 's:1', expected: 2, events: [event()], sealed: 'destroy', closed: true }]);
      expect((await store.readSealed(['s:1'])).size).toBe(0);
    });

    it('keeps the first key of a stream’s events, and forgets it some time after the stream was closed', async () => {
      const keyOf = (n: number) => ({ wrappedKey: Buffer.from([0, 255, n]), keyId: `k${n}` });
      await open('s:1', { eventKey: keyOf(1) });
      await open('s:2', { eventKey: keyOf(2), closed: true });
      await open('s:3', { closed: true });
      await store.append([{ streamId: 's:1', expected: 7, events: [event()], eventKey: keyOf(9) }]);
      await store.append([{ streamId: 's:1', expected: 1, events: [event()], eventKey: keyOf(3) }]);

      const kept = await store.readEventKeys(['s:1', 's:2', 's:3', 's:absent']);
      expect([...kept.keys()].sort()).toEqual(['s:1', 's:2']);
      expect([kept.get('s:1')!.key!.keyId, [...kept.get('s:1')!.key!.wrappedKey]]).toEqual(['k1', [0, 255, 1]]);
      expect(kept.get('s:1')!.closedAt).toBeUndefined();
      const closedAt = Date.parse(kept.get('s:2')!.closedAt!);

      // Not yet, and never one of a stream that is open.
      expect(await store.forgetEventKeys(closedAt, 10)).toBe(0);
      await under.advance(1_000);
      expect(await store.forgetEventKeys(closedAt + 1_000, 10)).toBe(1);
      expect(await store.forgetEventKeys(closedAt + 1_000, 10)).toBe(0);
      const after = (await store.readEventKeys(['s:2'])).get('s:2')!;
      expect(after.key).toBeUndefined();
      expect(after.closedAt).toBe(kept.get('s:2')!.closedAt);
      expect(Date.parse(after.forgottenAt!)).toBeGreaterThanOrEqual(closedAt + 1_000);

      // A stream that is closed later, and brings its key with that.
      await open('s:4');
      await store.append([{ streamId: 's:4', expected: 1, events: [event()], eventKey: keyOf(4), closed: true }]);
      await store.append([{ streamId: 's:1', expected: 2, events: [], closed: true }]);
      const closed = await store.readEventKeys(['s:1', 's:4']);
      expect([closed.get('s:1')!.closedAt, closed.get('s:4')!.closedAt]).not.toContain(undefined);
    });

    it('forgets the longest closed first, so many at a time', async () => {
      for (const n of [1, 2, 3]) {
        await open(`s:${n}`, { eventKey: { wrappedKey: Buffer.from([n]), keyId: 'k' }, closed: true });
        await under.advance(1_000);
      }
      const last = Date.parse((await store.readEventKeys(['s:3'])).get('s:3')!.closedAt!);

      expect(await store.forgetEventKeys(last + 1_000, 2)).toBe(2);
      expect((await store.readEventKeys(['s:3'])).get('s:3')!.key).toBeDefined();
    });

    it('writes nothing beside a stream that failed', async () => {
      await open('s:1');

      await store.append([
        {
          streamId: 's:1',
          expected: 5,
          events: [event()],
          effects: [put('next')],
          aliases: ['eci:1'],
          parked: { gate: 'g', priority: 0 },
          timers: [{ op: 'put', name: 't', dueAt: '2000-01-01T00:00:00.000Z', data: {} }],
          sealed: { put: { wrappedKey: Buffer.from([1]), keyId: 'k', sealed: Buffer.from([1]) } },
          eventKey: { wrappedKey: Buffer.from([1]), keyId: 'k' },
        },
      ]);

      expect(await under.effects.dueLanes()).toEqual([]);
      expect((await store.findByAlias(['eci:1'])).size).toBe(0);
      expect(await under.gates.peek('g', 9)).toEqual([]);
      expect(await under.timers.claimDue(9, 1000)).toEqual([]);
      expect((await store.readSealed(['s:1'])).size).toBe(0);
      expect((await store.readEventKeys(['s:1'])).size).toBe(0);
    });

    describe('inbox', () => {
      const where = { group: 'intake', topic: 'intents', partition: 3 };

      it('moves with the append, and only from where it stands', async () => {
        expect(await store.inboxOffset('intake', 'intents', 3)).toBeUndefined();
        expect(await store.beginInboxEpoch('intake', 'intents', 3, '0')).toBe(1);

        await store.append([{ streamId: 's:1', expected: 0, events: [event()] }], {
          ...where,
          epoch: 1,
          from: '0',
          to: '10',
        });
        expect(await store.inboxOffset('intake', 'intents', 3)).toEqual({ epoch: 1, offset: '10' });

        await expect(
          store.append([{ streamId: 's:2', expected: 0, events: [event()], effects: [put('x')] }], {
            ...where,
            epoch: 1,
            from: '0',
            to: '12',
          }),
        ).rejects.toThrow(InboxMoved);
        expect((await store.loadMany(['s:2'])).size).toBe(0);
        expect(await under.effects.dueLanes()).toEqual([]);

        await store.append([], { ...where, epoch: 1, from: '10', to: '11' });
        expect(await store.inboxOffset('intake', 'intents', 3)).toEqual({ epoch: 1, offset: '11' });
      });

      it('stays when a stream failed, although the others are written', async () => {
        await store.beginInboxEpoch('intake', 'intents', 3, '0');

        const results = await store.append(
          [
            { streamId: 's:1', expected: 0, events: [event()] },
            { streamId: 's:2', expected: 4, events: [event()] },
          ],
          { ...where, epoch: 1, from: '0', to: '10' },
        );

        expect(results.map((r) => r.ok)).toEqual([true, false]);
        expect(await store.inboxOffset('intake', 'intents', 3)).toEqual({ epoch: 1, offset: '0' });
        expect((await store.loadMany(['s:1'])).size).toBe(1);
      });

      it('stops a replaced consumer also when a stream of it failed', async () => {
        await store.beginInboxEpoch('intake', 'intents', 3, '5');

        const replaced = store.append(
          [
            { streamId: 's:1', expected: 0, events: [event()] },
            { streamId: 's:2', expected: 4, events: [event()] },
          ],
          { ...where, epoch: 1, from: '0', to: '10' },
        );

        await expect(replaced).rejects.toThrow(InboxMoved);
        expect((await store.loadMany(['s:1'])).size).toBe(0);
      });

      it('refuses the consumer of an older log', async () => {
        await store.beginInboxEpoch('intake', 'intents', 3, '0');
        expect(await store.beginInboxEpoch('intake', 'intents', 3, '0')).toBe(2);

        await expect(store.append([], { ...where, epoch: 1, from: '0', to: '1' })).rejects.toThrow(InboxMoved);
        await store.append([], { ...where, epoch: 2, from: '0', to: '1' });
      });

      it('lets one of two consumers that read the same batch win', async () => {
        await store.beginInboxEpoch('intake', 'intents', 3, '0');

        const results = await Promise.allSettled(
          ['s:1', 's:2'].map((streamId) =>
            store.append([{ streamId, expected: 0, events: [event()] }], { ...where, epoch: 1, from: '0', to: '9' }),
          ),
        );

        expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
        expect((await store.loadMany(['s:1', 's:2'])).size).toBe(1);
      });
    });
  });
}
