import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue } from '../../src/catalogue.ts';
import { BEGINNING } from '../../src/cursor.ts';
import type { StreamAppend } from '../../src/event-store.ts';
import { event, readAll, type StoreUnderTest } from './under-test.ts';

export function catalogueContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a catalogue`, () => {
    let under: StoreUnderTest;
    let catalogue: Catalogue;
    beforeEach(async () => {
      under = await make();
      catalogue = under.catalogue;
    });
    afterEach(() => under.close());

    const append = async (streamId: string, more: Partial<StreamAppend> = {}): Promise<void> => {
      const [result] = await under.store.append([{ streamId, expected: 0, events: [event()], ...more }]);
      expect(result).toMatchObject({ ok: true });
    };

    it('knows the end of the log, and the newest events', async () => {
      expect(await catalogue.head()).toEqual(BEGINNING);
      expect(await catalogue.newest(3)).toEqual([]);

      await append('s:1');
      await append('s:2');
      await append('s:1', { expected: 1, events: [event('Moved'), event('Moved')] });

      const all = await readAll(under);
      expect(await catalogue.head()).toEqual(all.at(-1)!.cursor);
      expect(await under.store.readAll(await catalogue.head(), 1)).toMatchObject({ events: [] });
      expect(await catalogue.newest(3)).toEqual(all.slice(-3).reverse());
      expect(await catalogue.newest(100)).toEqual(all.slice().reverse());
    });

    it('says where events lie between two places, and which of them opened a stream', async () => {
      await append('s:1', { events: [event(), event()] });
      await append('s:2');
      await append('s:1', { expected: 2 });
      await append('s:3', { events: [event(), event()] });
      const all = await readAll(under);
      const [, second, third, , fifth] = all.map(({ cursor }) => cursor);

      const places = all.map(({ streamId, cursor }) => ({ streamId, cursor }));
      expect(await catalogue.between(BEGINNING, all.at(-1)!.cursor, 100)).toEqual(places);
      expect(await catalogue.between(second!, fifth!, 100)).toEqual(places.slice(2, 5));
      expect(await catalogue.between(second!, fifth!, 2)).toEqual(places.slice(2, 4));
      expect(await catalogue.between(BEGINNING, fifth!, 100, 'opening')).toEqual([places[0], places[2], places[4]]);
      expect(await catalogue.between(third!, third!, 100)).toEqual([]);
    });

    it('tells streams without what nobody needs', async () => {
      await append('s:1', {
        events: [event('Opened', { a: 1, b: { c: 2 }, d: null }), event('Moved', { a: 1, d: [3] })],
      });
      await append('s:2', { events: [event('Moved', { d: 'x' })] });

      const told = await catalogue.abridged(['s:1', 's:2', 's:absent', 's:\0'], {
        ...{ type: 'Opened', ofType: ['b', 'absent'], ofOthers: ['d'] },
      });
      const metadata = { decidedAt: '2026-01-02T03:04:05.678Z' };
      const moved = { version: 1, type: 'Moved', schemaVersion: 1, metadata };
      expect(Object.fromEntries(told)).toEqual({
        's:1': [
          { ...moved, streamId: 's:1', type: 'Opened', data: { a: 1, d: null } },
          { ...moved, streamId: 's:1', version: 2, data: { a: 1 } },
        ],
        's:2': [{ ...moved, streamId: 's:2', data: {} }],
      });
      expect((await catalogue.abridged(['s:2'])).get('s:2')).toMatchObject([{ data: { d: 'x' } }]);
    });

    it('knows how far a reader has come', async () => {
      expect(await catalogue.progressOf('seen')).toBeUndefined();

      await append('s:1');
      const at = (await under.checkpoints.lease('seen', 'me', 60_000))!;
      const [{ cursor } = { cursor: BEGINNING }] = await readAll(under);
      await under.checkpoints.transaction('seen', ({ move }) => move('me', at, cursor));

      expect(await catalogue.progressOf('seen')).toEqual(cursor);
      expect(await catalogue.progressOf('other')).toBeUndefined();
    });

    it('knows the versions of streams, open and closed', async () => {
      await append('s:1', { events: [event(), event()] });
      await append('s:2', { closed: true });

      const versions = await catalogue.versionsOf(['s:1', 's:2', 's:absent', 's:\0', 's:\ud800']);
      expect([...versions].sort()).toEqual([
        ['s:1', 2],
        ['s:2', 1],
      ]);
      expect((await catalogue.versionsOf([])).size).toBe(0);
    });

    it('finds the streams that begin so and take new work', async () => {
      for (const id of ['p:a:1', 'p:a:2', 'p:a:é€𝄞', 'p:a', 'p:aa:1', 'p:b:1', 'p:a;1']) await append(id);
      await append('p:a:2', { expected: 1, events: [event()] });
      await append('p:a:3', { closed: true });

      const open = await catalogue.openStreams('p:a:');
      expect([...open].sort()).toEqual([
        ['p:a:1', 1],
        ['p:a:2', 2],
        ['p:a:é€𝄞', 1],
      ]);
      expect(await catalogue.countOpenStreams('p:a:')).toBe(3);
      expect(await catalogue.countOpenStreams('q:')).toBe(0);
    });

    it('finds the names that begin so, of streams that take new work', async () => {
      await append('s:1', { aliases: ['eci:a/r/1', 'eci:a/r/2', 'eci:a/rr/1'] });
      await append('s:2', { aliases: ['eci:a/r/3', 'eci:a/r0'], closed: true });
      await append('s:3', { aliases: ['eci:a/r/4'] });

      expect([...(await catalogue.openAliases('eci:a/r/'))].sort()).toEqual([
        ['eci:a/r/1', 's:1'],
        ['eci:a/r/2', 's:1'],
        ['eci:a/r/4', 's:3'],
      ]);
    });
  });
}
