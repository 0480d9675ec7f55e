import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '#libs/domain';
import { ACCOUNT_EVENTS } from './account.ts';
import { CLUSTER_EVENTS } from './cluster.ts';
import { CONTAINER_GROUP_EVENTS } from './container-group.ts';
import { ORPHAN_EVENTS } from './orphan.ts';
import { ACCOUNT_SAMPLES, CLUSTER_SAMPLES, CONTAINER_GROUP_SAMPLES, ORPHAN_SAMPLES } from '../../spec/event-samples.ts';
import { eventTypes, newestVersion, readEvent, type EventTypes, type ReadEvent } from './versions.ts';

interface Sample {
  readonly types: EventTypes;
  readonly type: string;
  readonly data: JsonObject;
}

const samplesOf = (types: EventTypes, samples: Readonly<Record<string, readonly unknown[]>>): Sample[] =>
  Object.entries(samples).flatMap(([type, all]) => all.map((data) => ({ types, type, data: data as JsonObject })));

const WHOLE = [
  ...samplesOf(CONTAINER_GROUP_EVENTS, CONTAINER_GROUP_SAMPLES),
  ...samplesOf(ORPHAN_EVENTS, ORPHAN_SAMPLES),
  ...samplesOf(CLUSTER_EVENTS, CLUSTER_SAMPLES),
  ...samplesOf(ACCOUNT_EVENTS, ACCOUNT_SAMPLES),
];
const read = ({ types, type, data }: Sample, schemaVersion = newestVersion(types, type)): ReadEvent =>
  readEvent(types, { type, schemaVersion, data });

describe.each(WHOLE)('$type', (sample) => {
  const { types, type, data } = sample;
  const newest = newestVersion(types, type);

  it('is read as it is in each of its versions', () => {
    for (let version = 1; version <= newest; version++) expect(read(sample, version)).toEqual({ kind: 'known', data });
  });

  it('is unknown in a version that is newer', () => {
    expect(read(sample, newest + 1)).toEqual({ kind: 'unknown', was: `${type} (schema ${newest + 1})` });
  });

  it('is broken where something of it is of another kind, which is not told', () => {
    for (const [place, otherwise] of spoilt(data))
      expect(read({ ...sample, data: otherwise as JsonObject }), place).toMatchObject({
        kind: 'broken',
        at: expect.stringMatching(/^\//) as string,
        why: expect.not.stringContaining('4711') as string,
      });
  });

  it('is judged by its quick check as by its schema', () => {
    const { schema, isValid } = types[type]!;
    expect(isValid(data)).toBe(true);
    for (const [place, otherwise] of [...spoilt(data), ['all of it', null], ['all of it', []]] as const)
      expect(isValid(otherwise), place).toBe(schema.safeParse(otherwise).success);
  });

  it('is taken with fields that a later release may add', () => {
    expect(read({ ...sample, data: { ...data, addedLater: { of: ['any', 'kind'] } } })).toMatchObject({
      kind: 'known',
    });
  });
});

/** The data with one part of another kind, for each part that is not taken as it is. */
function* spoilt(value: unknown, at = ''): Generator<readonly [place: string, otherwise: unknown]> {
  if (at !== '') yield [at, typeof value === 'object' ? 4711 : { canary: 4711 }];
  if (typeof value !== 'object' || value === null || at.endsWith('/clearPod') || at.endsWith('/quotas')) return;
  for (const [name, part] of Object.entries(value))
    for (const [place, otherwise] of spoilt(part, `${at}/${name}`))
      yield [place, Array.isArray(value) ? value.with(Number(name), otherwise) : { ...value, [name]: otherwise }];
}

describe('what is hidden in an event', () => {
  const hiding = WHOLE.filter(({ types, type }) => newestVersion(types, type) === 2);

  it.each(hiding)('$type may be sealed, erased or opened', (sample) => {
    for (const hidden of [{ hidden: 'c2VhbGVk' }, { hidden: '' }, {}])
      expect(read({ ...sample, data: { ...sample.data, ...hidden } })).toMatchObject({ kind: 'known' });
  });
});

describe('what earlier releases have stored', () => {
  const folder = new URL('./stored/', import.meta.url);
  const stored = readdirSync(folder).map((file) => [file, JSON.parse(readFileSync(new URL(file, folder), 'utf8'))]);

  it.each(stored as [string, { readonly type: string; readonly schemaVersion: number; readonly data: JsonObject }[]][])(
    '%s is read as it was stored',
    (_, events) => {
      expect(events.length).toBeGreaterThan(20);
      for (const event of events) {
        const types = event.type in ORPHAN_EVENTS ? ORPHAN_EVENTS : CONTAINER_GROUP_EVENTS;
        expect(readEvent(types, event), event.type).toEqual({ kind: 'known', data: event.data });
      }
    },
  );
});

describe('a type that nobody knows', () => {
  it.each(['WrittenInTheFuture', 'toString', '__proto__', 'constructor'])('%s is unknown', (type) => {
    expect(readEvent(CONTAINER_GROUP_EVENTS, { type, schemaVersion: 1, data: {} })).toEqual({
      kind: 'unknown',
      was: type,
    });
    expect(readEvent(CONTAINER_GROUP_EVENTS, { type, schemaVersion: 7, data: {} })).toEqual({
      kind: 'unknown',
      was: `${type} (schema 7)`,
    });
  });
});

describe('an event of which there are three versions', () => {
  const types = eventTypes(
    { Moved: z.object({ place: z.object({ zone: z.string() }), why: z.string() }) },
    {
      Moved: [
        // given a first version with the zone on its own, and a second without a reason
        ({ zone, ...rest }) => ({ ...rest, place: { zone: zone ?? null } }),
        (data) => ({ why: 'unsaid', ...data }),
      ],
    },
  );
  const moved = (schemaVersion: number, data: JsonObject): ReadEvent =>
    readEvent(types, { type: 'Moved', schemaVersion, data });

  it('is brought forward from each of them, step by step', () => {
    const place = { zone: 'b' };
    expect(moved(1, { zone: 'b' })).toEqual({ kind: 'known', data: { why: 'unsaid', place } });
    expect(moved(2, { place })).toEqual({ kind: 'known', data: { why: 'unsaid', place } });
    expect(moved(3, { place, why: 'asked' })).toEqual({ kind: 'known', data: { place, why: 'asked' } });
    expect(moved(4, { place, why: 'asked' })).toMatchObject({ kind: 'unknown' });
  });

  it('is checked when it has been brought forward', () => {
    expect(moved(1, {})).toEqual({ kind: 'broken', at: '/place/zone', why: 'invalid_type' });
  });
});
