import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppendResult, StreamAppend } from '../../src/event-store.ts';
import { event, put, spoil, type StoreUnderTest } from './under-test.ts';

export function effectContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a queue of effects`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => void (under = await make()));
    afterEach(() => under.close());

    let versions: Map<string, number>;
    beforeEach(() => void (versions = new Map()));
    const write = async (streamId: string, more: Partial<StreamAppend> = {}): Promise<AppendResult> => {
      const expected = versions.get(streamId) ?? 0;
      const [result] = await under.store.append([{ streamId, expected, events: [event()], ...more }]);
      if (result?.ok) versions.set(streamId, result.version);
      return result!;
    };
    const claim = (claimId: string, more: { max?: number; lane?: string; leaseMs?: number; kinds?: string[] } = {}) =>
      under.effects.claim({ lane: 'lane', kinds: ['Place', 'Create'], max: 10, leaseMs: 10_000, claimId, ...more });

    it('claims what is due, once', async () => {
      await write('s:1', {
        effects: [put('now', { data: { a: 1 }, sealed: Buffer.from([7]) }), put('later', { afterMs: 60_000 })],
      });

      const [row, ...others] = await claim('w1');

      expect(others).toEqual([]);
      expect(row).toMatchObject({
        streamId: 's:1',
        kind: 'Place',
        key: 'now',
        lane: 'lane',
        tenant: 'c1',
        data: { a: 1 },
        attempts: 1,
      });
      expect(row).toMatchObject({ mayHaveBeenSent: false, claimId: 'w1' });
      expect([...row!.sealed!]).toEqual([7]);
      expect(await claim('w2')).toEqual([]);
    });

    it('says which lanes have work and when the next falls due', async () => {
      expect(await under.effects.nextDueAt()).toBeUndefined();
      await write('s:1', {
        effects: [put('a', { lane: 'x' }), put('b', { lane: 'y', afterMs: 60_000 }), put('c', { lane: 'z' })],
      });

      expect(await under.effects.dueLanes()).toEqual(['x', 'z']);
      await claim('w', { lane: 'x', leaseMs: 120_000 });
      await claim('w', { lane: 'z', leaseMs: 120_000 });
      expect(await under.effects.dueLanes()).toEqual([]);
      const due = await under.effects.nextDueAt();
      await under.advance(60_000);
      expect(await under.effects.dueLanes()).toEqual(['y']);
      expect(await under.effects.nextDueAt()).toBe(due);
    });

    it('gives only the kinds asked for', async () => {
      await write('s:1', { effects: [put('a'), put('b', { kind: 'Create' })] });

      expect((await claim('w', { kinds: ['Create'] })).map((r) => r.key)).toEqual(['b']);
    });

    it('makes the rows of a worker that died due again, and says that a call may be out', async () => {
      await write('s:1', { effects: [put('a'), put('b')] });
      const rows = await claim('w1');
      await under.effects.confirmClaims(
        rows.filter((r) => r.key === 'a'),
        10_000,
      );

      await under.advance(10_001);

      const again = await claim('w2');
      expect(new Map(again.map((r) => [r.key, [r.attempts, r.mayHaveBeenSent]]))).toEqual(
        new Map([
          ['a', [2, true]],
          ['b', [2, false]],
        ]),
      );
    });

    it('confirms only claims that are still held, and extends them', async () => {
      await write('s:1', { effects: [put('a'), put('b')] });
      const first = await claim('w1', { leaseMs: 1_000 });
      await under.advance(1_001);
      const [taken] = await claim('w2', { max: 1 });

      const confirmed = await under.effects.confirmClaims(first, 30_000);

      expect(confirmed).toEqual([{ streamId: 's:1', kind: 'Place', key: taken!.key === 'a' ? 'b' : 'a' }]);
      await under.advance(20_000);
      expect((await claim('w3')).map((r) => r.key)).toEqual([taken!.key]);
    });

    it('takes a row back, due later; what earlier claims sent is not forgotten', async () => {
      await write('s:1', { effects: [put('a')] });
      const [row] = await claim('w1', { leaseMs: 1_000 });
      await under.effects.confirmClaims([row!], 1_000);
      expect(await under.effects.release({ ...row!, afterMs: 500, notSent: true, data: { tries: 1 } })).toBe(true);
      expect(await under.effects.release({ ...row!, afterMs: 0, notSent: true })).toBe(false);
      expect(await claim('w2')).toEqual([]);

      await under.advance(501);
      const [second] = await claim('w2', { leaseMs: 1_000 });
      expect(second).toMatchObject({ data: { tries: 1 }, mayHaveBeenSent: false, attempts: 2 });
      await under.effects.confirmClaims([second!], 1_000);
      await under.advance(1_001);
      const [third] = await claim('w3');
      await under.effects.confirmClaims([third!], 1_000);
      await under.effects.release({ ...third!, afterMs: 0, notSent: true });

      expect(await claim('w4')).toMatchObject([{ mayHaveBeenSent: true }]);
    });

    it('writes under a claim only while it is held, and ends the row with it', async () => {
      await write('s:1', { effects: [put('a')] });
      await claim('w1', { leaseMs: 1_000 });
      await under.advance(1_001);
      await claim('w2', { leaseMs: 1_000 });

      expect(await write('s:1', { claim: { kind: 'Place', key: 'a', claimId: 'w1' } })).toMatchObject({
        ok: false,
        reason: 'claim-lost',
      });
      expect(await write('s:1', { claim: { kind: 'Place', key: 'a', claimId: 'w2' } })).toMatchObject({
        ok: true,
        removedEffects: [],
      });
      await under.advance(60_000);
      expect(await claim('w3')).toEqual([]);
    });

    it('takes a claim that ran out for held until somebody else takes the row', async () => {
      await write('s:1', { effects: [put('a'), put('b')] });
      const rows = await claim('w1', { leaseMs: 1_000 });
      await under.advance(5_000);

      expect(await write('s:1', { claim: { kind: 'Place', key: 'a', claimId: 'w1' } })).toMatchObject({ ok: true });
      const b = rows.find((row) => row.key === 'b')!;
      expect(await under.effects.release({ ...b, afterMs: 0, notSent: true })).toBe(true);
      expect(await write('s:1', { claim: { kind: 'Place', key: 'b', claimId: 'w1' } })).toMatchObject({
        reason: 'claim-lost',
      });
    });

    it('leaves rows and claim alone when the append under it was refused as a whole', async () => {
      await write('s:1', { effects: [put('a')] });
      await claim('w1');
      const held = { kind: 'Place', key: 'a', claimId: 'w1' };

      await expect(
        under.store.append([{ streamId: 's:1', expected: 1, events: [event()], claim: held }], {
          group: 'g',
          topic: 't',
          epoch: 1,
          partition: 0,
          from: '0',
          to: '1',
        }),
      ).rejects.toThrow('was moved');

      expect(await write('s:1', { claim: held })).toMatchObject({ ok: true });
    });

    it('remembers a call that may be out when its claim is given back without knowing better', async () => {
      await write('s:1', { effects: [put('a')] });
      const [row] = await claim('w1');
      await under.effects.confirmClaims([row!], 1_000);
      await under.effects.release({ ...row!, afterMs: 0, notSent: false });

      expect(await claim('w2')).toMatchObject([{ mayHaveBeenSent: true }]);
    });

    it('counts what is due, claimed and waiting', async () => {
      await write('s:1', {
        effects: [put('a'), put('b'), put('c', { afterMs: 5_000 }), put('d', { lane: 'other', kind: 'Create' })],
      });
      await claim('w', { max: 1 });

      const depth = [
        { lane: 'lane', kind: 'Place', due: 1, claimed: 1, waiting: 1 },
        { lane: 'other', kind: 'Create', due: 1, claimed: 0, waiting: 0 },
      ];
      expect(await under.effects.depth()).toEqual(depth);
      await under.advance(60_000);
      expect((await under.effects.depth())[0]).toMatchObject({ due: 3, claimed: 0, waiting: 0 });
    });

    it('keeps its rows to itself', async () => {
      const data = { list: [1], name: 'a' };
      const sealed = Buffer.from([1, 2]);
      await write('s:1', { effects: [put('a', { data, sealed })] });
      data.list.push(2);
      data.name = 'changed';
      sealed.fill(9);

      const [first] = await claim('w1', { leaseMs: 1 });
      spoil(first!.data);
      first!.sealed!.fill(7);
      await under.advance(2);

      const [second] = await claim('w2');
      expect(second!.data).toEqual({ list: [1], name: 'a' });
      expect([...second!.sealed!]).toEqual([1, 2]);
    });

    it('keeps the claim of a stream that conflicted', async () => {
      await write('s:1', { effects: [put('a')] });
      await claim('w1');

      const [conflict] = await under.store.append([
        { streamId: 's:1', expected: 0, events: [event()], claim: { kind: 'Place', key: 'a', claimId: 'w1' } },
      ]);

      expect(conflict).toMatchObject({ ok: false, reason: 'conflict' });
      expect(await write('s:1', { claim: { kind: 'Place', key: 'a', claimId: 'w1' } })).toMatchObject({ ok: true });
    });

    it('turns one row into another that is claimed already', async () => {
      await write('s:1', { effects: [put('next')] });
      await claim('w1');

      const placed = put('1', { kind: 'Create', sealed: Buffer.from([1]), claim: { claimId: 'w1', leaseMs: 5_000 } });
      await write('s:1', { claim: { kind: 'Place', key: 'next', claimId: 'w1' }, effects: [placed] });

      expect(await claim('w2')).toEqual([]);
      expect(
        await under.effects.confirmClaims([{ streamId: 's:1', kind: 'Create', key: '1', claimId: 'w1' }], 5_000),
      ).toHaveLength(1);
      await under.advance(5_001);
      expect(await claim('w2')).toMatchObject([{ kind: 'Create', attempts: 2, mayHaveBeenSent: true }]);
    });

    it('keeps what is known of a row that is put again under its claim', async () => {
      await write('s:1', { effects: [put('a')] });
      const [row] = await claim('w1');
      await under.effects.confirmClaims([row!], 10_000);

      await write('s:1', {
        claim: { kind: 'Place', key: 'a', claimId: 'w1' },
        effects: [put('a', { data: { again: true } })],
      });

      const [again] = await claim('w2');
      expect(again).toMatchObject({ data: { again: true }, attempts: 2, mayHaveBeenSent: true, putAt: row!.putAt });
    });

    it('leaves a claimed row to its worker when it is put again by others', async () => {
      await write('s:1', { effects: [put('a', { data: { n: 1 } })] });
      const [row] = await claim('w1');

      await write('s:1', { effects: [put('a', { data: { n: 2 } })] });

      expect(await claim('w2')).toEqual([]);
      expect(await under.effects.confirmClaims([row!], 1_000)).toHaveLength(1);
    });

    it('changes a row that nobody holds when it is put again', async () => {
      await write('s:1', { effects: [put('a', { afterMs: 60_000 })] });
      await write('s:1', { effects: [put('a', { lane: 'other' })] });

      expect(await under.effects.dueLanes()).toEqual(['other']);
    });

    it('removes rows and says which; those that are claimed or may have been sent stay unless told otherwise', async () => {
      const keys = ['free', 'held', 'sent', 'lapsed'];
      await write('s:1', { effects: ['held', 'sent', 'lapsed'].map((key) => put(key, { lane: key })) });
      await claim('w', { lane: 'lapsed', leaseMs: 1_000 });
      const sent = await claim('w', { lane: 'sent', leaseMs: 1_000 });
      await under.effects.confirmClaims(sent, 1_000);
      await under.advance(1_001);
      await claim('w', { lane: 'held' });
      await write('s:1', { effects: [put('free', { lane: 'free' })] });

      const row = (key: string) => ({ kind: 'Place', key });
      const careful = await write('s:1', {
        effects: keys.map((key) => ({ op: 'remove', kind: 'Place', key, unlessClaimed: true })),
      });
      const blunt = await write('s:1', {
        effects: keys.map((key) => ({ op: 'remove', kind: 'Place', key, unlessClaimed: false })),
      });

      expect(careful).toMatchObject({
        ok: true,
        removedEffects: expect.arrayContaining([row('free'), row('lapsed')]),
      });
      expect(blunt).toMatchObject({ ok: true, removedEffects: expect.arrayContaining([row('held'), row('sent')]) });
      expect([careful, blunt].map((r) => r.ok && r.removedEffects.length)).toEqual([2, 2]);
    });

    it('serves tenants in turn, within one the larger priority first', async () => {
      for (const [tenant, key, priority] of [
        ['big', 'b1', 0],
        ['big', 'b2', 5],
        ['big', 'b3', 0],
        ['big', 'b4', 0],
        ['mid', 'm1', 0],
        ['mid', 'm2', 0],
        ['one', 'o1', -9],
      ] as const) {
        await write(`s:${key}`, { effects: [put(key, { tenant, priority })] });
        await under.advance(1);
      }

      const first = await claim('w', { max: 4 });
      const second = await claim('w', { max: 2 });

      expect(first.map((r) => r.key).sort()).toEqual(['b1', 'b2', 'm1', 'o1']);
      // `big` was last in the round before: now it is `mid`'s turn.
      expect(second.map((r) => r.key).sort()).toEqual(['b3', 'm2']);
    });

    it('serves the youngest of a tenant beside its oldest, so that a backlog holds nobody up', async () => {
      for (const key of ['1', '2', '3', '4', '5', '6']) {
        await write(`s:${key}`, { effects: [put(key, { tenant: 'one' })] });
        await under.advance(1);
      }

      const order: string[] = [];
      for (const max of [1, 1, 1, 2])
        order.push(
          (await claim('w', { max }))
            .map((r) => r.key)
            .sort()
            .join(),
        );
      expect(order).toEqual(['1', '2', '6', '3,5']);
      await write('s:7', { effects: [put('7', { tenant: 'one' }), put('urgent', { tenant: 'one', priority: 1 })] });
      expect((await claim('w', { max: 1 })).map((r) => r.key)).toEqual(['urgent']);
      expect((await claim('w', { max: 10 })).map((r) => r.key).sort()).toEqual(['4', '7']);
    });

    it('serves all tenants in turn even when there is one token at a time', async () => {
      for (const tenant of ['a', 'b', 'c']) {
        for (const n of [1, 2]) await write(`s:${tenant}${n}`, { effects: [put(`${tenant}${n}`, { tenant })] });
      }

      const order: string[] = [];
      for (let i = 0; i < 6; i++) order.push((await claim('w', { max: 1 }))[0]!.tenant);

      expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
    });
  });
}
