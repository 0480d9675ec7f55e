import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { event, type StoreUnderTest } from './under-test.ts';

export function waitingContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a queue of those who wait`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => void (under = await make()));
    afterEach(() => under.close());

    const park = async (streamId: string, priority = 0, deadline?: string): Promise<void> => {
      const parked = { gate: 'g', priority, ...(deadline !== undefined && { deadline }) };
      const [result] = await under.store.append([{ streamId, expected: 0, events: [event('Parked')], parked }]);
      expect(result).toMatchObject({ ok: true });
    };
    const due = () => under.gates.dueGates(10, 30_000);

    it('orders parked streams by priority, deadline and arrival', async () => {
      await park('s:1');
      await under.advance(1);
      await park('s:2');
      await park('s:3', 0, '2030-01-01T00:00:00.000Z');
      await park('s:4', 0, '2029-01-01T00:00:00.000Z');
      await park('s:5', 3);

      expect(await under.gates.peek('g', 9)).toEqual(['s:5', 's:4', 's:3', 's:1', 's:2']);
      await under.store.append([{ streamId: 's:4', expected: 1, events: [event('Unparked')], parked: null }]);
      expect(await under.gates.peek('g', 2)).toEqual(['s:5', 's:3']);
    });

    it('probes a shut gate with one stream after 4 s, doubling to 60 s', async () => {
      await park('s:1');
      await park('s:2');
      expect(await due()).toEqual([]);

      for (const waitMs of [4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
        await under.advance(waitMs - 500);
        expect(await due()).toEqual([]);
        await under.advance(500);
        expect(await due()).toEqual([{ gate: 'g', budget: 1, parked: 2 }]);
        await under.gates.report('g', 'refused');
        // Calls that were on the way already: nothing new.
        await under.gates.report('g', 'refused');
      }
    });

    it('gives a due gate to one caller, and again when that one is not heard of', async () => {
      await park('s:1');
      await under.advance(4_000);

      const answers = await Promise.all([due(), due(), due()]);
      expect(answers.flat()).toHaveLength(1);
      await under.advance(30_001);
      expect(await due()).toHaveLength(1);
    });

    it('opens slowly: two for each success, and wide open at a budget of 32', async () => {
      for (let i = 0; i < 3; i++) await park(`s:${i}`);
      await under.advance(4_000);
      await due();

      await under.gates.report('g', 'accepted');
      expect(await due()).toMatchObject([{ budget: 2 }]);
      await under.gates.report('g', 'accepted');
      await under.gates.report('g', 'accepted');
      expect(await due()).toMatchObject([{ budget: 4 }]);
      for (let i = 0; i < 28; i++) await under.gates.report('g', 'accepted');

      expect((await due())[0]!.budget).toBeGreaterThanOrEqual(100);
    });

    it('shuts a slow gate on a refusal, and an open one on two in a row', async () => {
      await park('s:1');
      await under.advance(4_000);
      await due();
      await under.gates.report('g', 'accepted');
      await under.gates.report('g', 'refused');
      expect(await due()).toEqual([]);
      await under.advance(4_000);
      expect(await due()).toMatchObject([{ budget: 1 }]);

      for (let i = 0; i < 40; i++) await under.gates.report('g', 'accepted');
      await under.gates.report('g', 'refused');
      await under.gates.report('g', 'accepted');
      await under.gates.report('g', 'refused');
      expect((await due())[0]!.budget).toBeGreaterThan(1);
      await under.gates.report('g', 'refused');
      await under.advance(4_000);
      expect(await due()).toMatchObject([{ budget: 1 }]);
    });

    it('tells how gates stand, and nothing of those that never were', async () => {
      await park('s:1');
      await park('s:2');
      expect(await under.gates.look(['g', 'other'])).toMatchObject(new Map([['g', { state: 'shut', parked: 2 }]]));

      await under.gates.report('g', 'accepted');
      await under.store.append([{ streamId: 's:1', expected: 1, events: [event('Unparked')], parked: null }]);
      expect((await under.gates.look(['g'])).get('g')).toMatchObject({ state: 'slow', parked: 1 });
      for (let i = 0; i < 30; i++) await under.gates.report('g', 'accepted');
      expect((await under.gates.look(['g'])).get('g')).toMatchObject({ state: 'open', parked: 1 });
    });

    it('is shut by a stream that parks at it when it was open, not when it is slow', async () => {
      await park('s:1');
      await under.gates.report('g', 'accepted');
      await park('s:2');
      expect((await under.gates.look(['g'])).get('g')).toMatchObject({ state: 'slow' });
      for (let i = 0; i < 30; i++) await under.gates.report('g', 'accepted');

      await park('s:3');

      expect((await under.gates.look(['g'])).get('g')).toMatchObject({ state: 'shut', parked: 3 });
      expect(await due()).toEqual([]);
      await under.advance(4_000);
      expect(await due()).toEqual([{ gate: 'g', budget: 1, parked: 3 }]);
    });

    it('moves a stream that parks again to the end of the other queue', async () => {
      await park('s:1');
      await under.advance(1);
      await park('s:2');
      const parked = { gate: 'h', priority: 0 };
      await under.advance(1);
      await under.store.append([{ streamId: 's:1', expected: 1, events: [event('Parked')], parked }]);
      await under.advance(1);
      await under.store.append([
        { streamId: 's:1', expected: 2, events: [event('Parked')], parked: { ...parked, gate: 'g' } },
      ]);

      expect([await under.gates.peek('g', 9), await under.gates.peek('h', 9)]).toEqual([['s:2', 's:1'], []]);
    });

    it('says nothing of a gate behind which nobody waits', async () => {
      await park('s:1');
      await under.store.append([{ streamId: 's:1', expected: 1, events: [event('Unparked')], parked: null }]);
      await under.advance(60_000);

      expect(await due()).toEqual([]);
      await under.gates.report('unknown', 'refused');
    });

    it('gives timers when they are due, once a lease, until they are removed', async () => {
      await under.store.append([
        {
          streamId: 's:1',
          expected: 0,
          events: [event()],
          timers: [
            { op: 'put', name: 'past', dueAt: '2020-01-01T00:00:00.000Z', data: { a: 1 } },
            { op: 'put', name: 'future', dueAt: '2999-01-01T00:00:00.000Z', data: {} },
            { op: 'put', name: 'gone', dueAt: '2020-01-01T00:00:00.000Z', data: {} },
          ],
        },
      ]);
      await under.store.append([
        { streamId: 's:1', expected: 1, events: [event()], timers: [{ op: 'remove', name: 'gone' }] },
      ]);

      const seen = { streamId: 's:1', name: 'past', dueAt: '2020-01-01T00:00:00.000Z', data: { a: 1 } };
      expect(await under.timers.claimDue(9, 5_000)).toEqual([seen]);
      expect(await under.timers.claimDue(9, 5_000)).toEqual([]);
      await under.advance(5_001);
      expect(await under.timers.claimDue(9, 5_000)).toEqual([seen]);

      await under.timers.remove('s:1', 'past', '2021-01-01T00:00:00.000Z');
      await under.advance(5_001);
      expect(await under.timers.claimDue(9, 5_000)).toEqual([seen]);
      await under.timers.remove('s:1', 'past');
      await under.advance(5_001);
      expect(await under.timers.claimDue(9, 5_000)).toEqual([]);
    });

    it('moves a timer that is put again', async () => {
      const timer = (dueAt: string) => [{ op: 'put' as const, name: 't', dueAt, data: {} }];
      await under.store.append([
        { streamId: 's:1', expected: 0, events: [event()], timers: timer('2020-01-01T00:00:00.000Z') },
      ]);
      await under.store.append([
        { streamId: 's:1', expected: 1, events: [], timers: timer('2999-01-01T00:00:00.000Z') },
      ]);

      expect(await under.timers.claimDue(9, 5_000)).toEqual([]);
    });
  });
}
