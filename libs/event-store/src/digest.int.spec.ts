import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event } from '../spec/contract/under-test.ts';
import { digestOf } from './digest.ts';
import type { JsonObject } from './event-store.ts';

let under: PostgresUnderTest;
beforeAll(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterAll(() => under?.close());

/** PostgreSQL's text holds every character but U+0000. */
const anyText = fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '0').toWellFormed());
const anyNumber = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 1e21, 1e-7, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 100, 1.0),
);
const anyData = fc.dictionary(
  anyText,
  fc.oneof(
    anyNumber,
    anyText,
    fc.constant(null),
    fc.boolean(),
    fc.array(fc.oneof(anyNumber, anyText)),
    fc.dictionary(anyText, anyNumber, { noNullPrototype: true }),
  ),
  { noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

describe('the digest of an event, on PostgreSQL', () => {
  it('is the same computed from what is read, though jsonb keeps neither the order of keys nor the spelling of numbers', async () => {
    let streams = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(anyText, anyData), { minLength: 1, maxLength: 20 }), async (said) => {
        const streamId = `s:${++streams}:ü`;
        const events = said.map(([type, data]) => event(type, data));
        const [result] = await under.store.append([{ streamId, expected: 0, events }]);
        expect(result).toMatchObject({ ok: true });

        const read = (await under.store.loadMany([streamId])).get(streamId)!;
        const { rows } = await under.pool.query<{ digest: Buffer }>(
          'select digest from es.event where stream_id = $1 order by version',
          [streamId],
        );
        expect(read.map((e) => digestOf(streamId, e.version, e).toString('hex'))).toEqual(
          rows.map((row) => row.digest.toString('hex')),
        );
      }),
      { numRuns: 60 },
    );
  });
});
