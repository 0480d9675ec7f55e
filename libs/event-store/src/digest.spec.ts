import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf } from './digest.ts';
import type { JsonObject, NewEvent } from './event-store.ts';

const sample: NewEvent = {
  eventId: '0b0e7c1e-6b1f-4e0e-9d58-6c7d2a3a1f00',
  type: 'Opened',
  schemaVersion: 1,
  data: { b: [1, 'x', null], a: { nested: true } },
  metadata: { actor: 'test', decidedAt: '2026-03-01T10:00:00.000Z' },
};

/** The definition, by a library that is not ours. */
function defined(streamId: string, version: number, event: NewEvent): string {
  const { eventId, type, schemaVersion, data, metadata } = event;
  const text = canonicalize({ data, eventId, metadata, schemaVersion, streamId, type, version })!;
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

const anyText = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed());
const anyJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false, 0, -0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 333333333.3333333, 4.5),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.maxSafeInteger(),
    anyText,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(anyText, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value as fc.Arbitrary<JsonObject[string]>;
const anyData = fc.dictionary(anyText, anyJson, { maxKeys: 6, noNullPrototype: true }) as fc.Arbitrary<JsonObject>;

/** The same value with its keys in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, each]) => [key, turned(each)]),
  );
}

describe('the digest of an event', () => {
  it('is SHA-256 over RFC 8785 JSON of the event, whatever the event holds', () => {
    fc.assert(
      fc.property(anyData, anyText, fc.integer({ min: 1 }), (data, streamId, version) => {
        const event = { ...sample, data };
        expect(digestOf(streamId, version, event).toString('hex')).toBe(defined(streamId, version, event));
      }),
      { numRuns: 300 },
    );
  });

  it('does not depend on the order of keys, nor on how a number was spelled', () => {
    fc.assert(
      fc.property(anyData, (data) => {
        const again = turned(JSON.parse(JSON.stringify(data))) as JsonObject;
        expect(digestOf('s', 1, { ...sample, data: again })).toEqual(digestOf('s', 1, { ...sample, data }));
      }),
    );
  });

  it.each<[string, string, number, Partial<NewEvent>]>([
    ['stream', 's:other', 1, {}],
    ['version', 's', 2, {}],
    ['id', 's', 1, { eventId: '0b0e7c1e-6b1f-4e0e-9d58-6c7d2a3a1f01' }],
    ['type', 's', 1, { type: 'Closed' }],
    ['schema version', 's', 1, { schemaVersion: 2 }],
    ['data', 's', 1, { data: { b: [1, 'x', null], a: { nested: false } } }],
    ['data, by a field more', 's', 1, { data: { ...sample.data, c: 0 } }],
    ['actor', 's', 1, { metadata: { ...sample.metadata, actor: 'somebody else' } }],
    ['time of the decision', 's', 1, { metadata: { ...sample.metadata, decidedAt: '2026-03-01T10:00:00.001Z' } }],
    ['cause', 's', 1, { metadata: { ...sample.metadata, causationId: 'x' } }],
  ])('covers the %s', (_, streamId, version, change) => {
    expect(digestOf(streamId, version, { ...sample, ...change })).not.toEqual(digestOf('s', 1, sample));
  });

  it('takes an id in capitals for the same id, as PostgreSQL does', () => {
    const capitals = { ...sample, eventId: sample.eventId.toUpperCase() };
    expect(digestOf('s', 1, capitals)).toEqual(digestOf('s', 1, sample));
  });

  it.each([
    ['a lone surrogate', '\ud800'],
    ['NaN', NaN],
    ['infinity', Infinity],
  ])('refuses %s', (_, value) => {
    expect(() => digestOf('s', 1, { ...sample, data: { value } })).toThrow();
  });
});
