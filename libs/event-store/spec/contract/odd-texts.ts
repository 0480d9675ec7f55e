import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidAppend } from '../../src/append-checks.ts';
import type { EventMetadata, JsonObject, StreamAppend } from '../../src/event-store.ts';
import { event, put, type StoreUnderTest } from './under-test.ts';

/** Texts that PostgreSQL keeps neither as `text` nor in `jsonb`. */
const UNSTORABLE = ['\0', 'a\0b', '\ud800', 'a\udc00b', '\udc00\ud800', '\\\0', '\\u0000\0'];
/** Texts that only look like it. */
const FINE = ['\\u0000', '\\ud800', '\\\\u0000', '\u0001', '\u007f', '\ufffd', '\uffff', '𝄞', '\\', '"'];
const nested = (levels = 20_000): JsonObject =>
  JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`) as JsonObject;

const base = { streamId: 's:odd', expected: 0, events: [event()] } satisfies StreamAppend;
const sealed = { wrappedKey: Buffer.from([1]), keyId: 'k', sealed: Buffer.from([2]) };
const dueAt = '2030-01-01T00:00:00.000Z';

/** Every place of an append that holds a text, with that text in it. */
const PLACES: { readonly [place: string]: (text: string) => StreamAppend } = {
  'the stream’s id': (text) => ({ ...base, streamId: text }),
  'an event’s type': (text) => ({ ...base, events: [event(text)] }),
  'an event’s data': (text) => ({ ...base, events: [event(), event('Odd', { list: [{ text }] })] }),
  'a key of an event’s data': (text) => ({ ...base, events: [event('Odd', { [text]: 1 })] }),
  'an event’s metadata': (text) => ({
    ...base,
    events: [{ ...event(), metadata: { actor: text, decidedAt: dueAt } satisfies EventMetadata }],
  }),
  'an effect’s key': (text) => ({ ...base, effects: [put(text)] }),
  'an effect’s kind': (text) => ({ ...base, effects: [put('1', { kind: text })] }),
  'an effect’s lane': (text) => ({ ...base, effects: [put('1', { lane: text })] }),
  'an effect’s tenant': (text) => ({ ...base, effects: [put('1', { tenant: text })] }),
  'an effect’s data': (text) => ({ ...base, effects: [put('1', { data: { last: { text } } })] }),
  'a key of an effect’s data': (text) => ({ ...base, effects: [put('1', { data: { [text]: null } })] }),
  'the claim of an effect': (text) => ({ ...base, effects: [put('1', { claim: { claimId: text, leaseMs: 9 } })] }),
  'an effect that goes': (text) => ({
    ...base,
    effects: [{ op: 'remove', kind: 'Place', key: text, unlessClaimed: false }],
  }),
  'a timer’s name': (text) => ({ ...base, timers: [{ op: 'put', name: text, dueAt, data: {} }] }),
  'a timer’s data': (text) => ({ ...base, timers: [{ op: 'put', name: 't', dueAt, data: { text } }] }),
  'a timer that goes': (text) => ({ ...base, timers: [{ op: 'remove', name: text }] }),
  'a gate': (text) => ({ ...base, parked: { gate: text, priority: 0 } }),
  'an alias': (text) => ({ ...base, aliases: ['eci:1', text] }),
  'the key of the events': (text) => ({ ...base, eventKey: { wrappedKey: Buffer.from([1]), keyId: text } }),
  'the key of the sealed part': (text) => ({ ...base, sealed: { put: { ...sealed, keyId: text } } }),
  'the claim it was done under': (text) => ({ ...base, claim: { kind: 'Place', key: text, claimId: 'w' } }),
};

export function oddTextContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} and texts that cannot be kept`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => void (under = await make()));
    afterEach(() => under.close());

    const refusalOf = async (append: StreamAppend): Promise<unknown> =>
      under.store.append([{ streamId: 's:other', expected: 0, events: [event()] }, append]).then(
        () => undefined,
        (error: unknown) => error,
      );

    it('refuses them wherever they stand, as bad data, in words that can be kept', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...Object.keys(PLACES)),
          fc.constantFrom(...UNSTORABLE),
          async (place, text) => {
            const refusal = await refusalOf(PLACES[place]!(text));

            expect(refusal, place).toBeInstanceOf(InvalidAppend);
            const { message } = refusal as Error;
            expect(message).toMatch(/U\+0000 or half of a surrogate pair/);
            expect(message).not.toMatch(/\0/);
            expect(message.isWellFormed()).toBe(true);
          },
        ),
        { numRuns: 300 },
      );
      expect((await under.store.loadMany(['s:other', 's:odd'])).size).toBe(0);
      expect(await under.effects.dueLanes()).toEqual([]);
    });

    it('says which part of which stream it was', async () => {
      const texts = await Promise.all(
        ['an event’s data', 'an effect’s data', 'an alias', 'a gate', 'the stream’s id'].map(
          async (place) => ((await refusalOf(PLACES[place]!('a\0b'))) as Error).message,
        ),
      );
      const what = 'holds U+0000 or half of a surrogate pair, which cannot be stored';
      expect(texts).toEqual([
        `append to s:odd: events[1] (Odd) ${what}`,
        `append to s:odd: effects[0] ${what}`,
        `append to s:odd: aliases[1] ${what}`,
        `append to s:odd: parked ${what}`,
        `append to a\ufffdb: streamId ${what}`,
      ]);
    });

    it('keeps what only looks like them as it is', async () => {
      const streams = FINE.map((text, i): StreamAppend => {
        const event_ = event(`Odd${text}`, { [`key${text}`]: text });
        return {
          streamId: `s:${i}${text}`,
          expected: 0,
          events: [event_],
          effects: [put(`k${text}`, { data: { text } })],
          aliases: [`eci:${text}`],
        };
      });

      expect((await under.store.append(streams)).every(({ ok }) => ok)).toBe(true);

      const kept = await under.store.loadMany(streams.map(({ streamId }) => streamId));
      expect([...kept.values()].map(([first]) => first!.data)).toEqual(FINE.map((text) => ({ [`key${text}`]: text })));
      const rows = await under.effects.claim({ lane: 'lane', kinds: ['Place'], max: 99, claimId: 'w', leaseMs: 1000 });
      expect(rows.map(({ data }) => data['text']).sort()).toEqual([...FINE].sort());
      expect((await under.store.findByAlias(FINE.map((text) => `eci:${text}`))).size).toBe(FINE.length);
    });

    it('finds nothing by a name that cannot be kept, and what stands beside it all the same', async () => {
      await under.store.append([
        {
          streamId: 's:\ufffd',
          expected: 0,
          events: [event()],
          aliases: ['eci:\ufffd'],
          sealed: { put: sealed },
          effects: [put('\ufffd')],
          parked: { gate: 'g\ufffd', priority: 0 },
          timers: [{ op: 'put', name: 't\ufffd', dueAt: '2000-01-01T00:00:00.000Z', data: {} }],
        },
      ]);
      for (const bad of ['\0', '\ud800']) {
        expect([...(await under.store.loadMany([`s:${bad}`, 's:\ufffd'])).keys()]).toEqual(['s:\ufffd']);
        expect([...(await under.store.readSealed([`s:${bad}`, 's:\ufffd'])).keys()]).toEqual(['s:\ufffd']);
        expect([...(await under.store.findByAlias([`eci:${bad}`, 'eci:\ufffd'])).keys()]).toEqual(['eci:\ufffd']);
        expect([...(await under.gates.look([`g${bad}`, 'g\ufffd'])).keys()]).toEqual(['g\ufffd']);
        expect(await under.gates.peek(`g${bad}`, 9)).toEqual([]);
        await under.gates.report(`g${bad}`, 'accepted');
        await under.timers.remove('s:\ufffd', `t${bad}`);
        const claim = { kinds: ['Place'], max: 9, claimId: 'w', leaseMs: 1000 };
        expect(await under.effects.claim({ ...claim, lane: `lane${bad}` })).toEqual([]);
      }
      expect((await under.gates.look(['g\ufffd'])).get('g\ufffd')!.state).toBe('shut');
      expect(await under.timers.claimDue(9, 1000)).toHaveLength(1);
    });

    it('refuses them with a row that is given back, and still holds the row', async () => {
      const row = { streamId: 's:1', kind: 'Place', key: '1', claimId: 'w' };
      await under.store.append([{ streamId: 's:1', expected: 0, events: [event()], effects: [put('1')] }]);
      await under.effects.claim({ lane: 'lane', kinds: ['Place'], max: 1, claimId: 'w', leaseMs: 60_000 });

      for (const text of UNSTORABLE) {
        const given = { ...row, afterMs: 0, notSent: true, data: { text } };
        await expect(under.effects.release(given)).rejects.toThrow(InvalidAppend);
        expect(await under.effects.release({ ...row, claimId: text, afterMs: 0, notSent: true })).toBe(false);
        expect(await under.effects.confirmClaims([{ ...row, claimId: text }], 1000)).toEqual([]);
      }
      expect(await under.effects.confirmClaims([row, { ...row, key: '\0' }], 60_000)).toEqual([
        { streamId: 's:1', kind: 'Place', key: '1' },
      ]);
    });

    it('refuses what is nested deeper than can be written, and times that are none, in the same way', async () => {
      for (const append of [
        { ...base, events: [event('Deep', nested())] },
        { ...base, effects: [put('1', { data: nested() })] },
        { ...base, timers: [{ op: 'put', name: 't', dueAt, data: nested() }] },
        { ...base, events: [event('Deep', nested(501))] },
        { ...base, effects: [put('1', { data: nested(501) })] },
        { ...base, timers: [{ op: 'put', name: 't', dueAt: 'soon', data: {} }] },
        { ...base, parked: { gate: 'g', priority: 0, deadline: '\0' } },
      ] satisfies StreamAppend[]) {
        const refusal = await refusalOf(append);
        expect(refusal).toBeInstanceOf(InvalidAppend);
        expect((refusal as Error).message).toContain('s:odd');
      }
      const deepest = { ...base, events: [event('Deep', nested(500))], effects: [put('1', { data: nested(500) })] };
      expect(await refusalOf(deepest)).toBeUndefined();
    });
  });
}
