import type { StreamAppend } from '#libs/event-store';
import { expect, it } from 'vitest';
import { dueSinceCreation } from './pods-age.ts';

const at = '2026-01-01T00:10:00Z';
const put = { op: 'put', key: '1', lane: 'l', tenant: 'c', priority: 0, data: {} } as const;
const append: StreamAppend = {
  streamId: 's',
  expected: 0,
  events: [],
  effects: [
    { ...put, kind: 'Place', afterMs: 0 },
    { ...put, kind: 'LookUp', afterMs: 0 },
    { ...put, kind: 'Place', key: '2', afterMs: 500 },
    { op: 'remove', kind: 'Place', key: '3', unlessClaimed: false },
  ],
};
const placeOf = (createdAt: unknown): unknown => {
  const [place, ...others] = dueSinceCreation(append, createdAt, at).effects!;
  expect(others).toEqual(append.effects!.slice(1));
  return (place as { afterMs: number }).afterMs;
};

it.each([
  ['2026-01-01T00:09:48Z', -12_000],
  ['2026-01-01T00:08:00Z', -60_000],
  ['2020-01-01T00:00:00Z', -60_000],
  ['2026-01-01T01:00:00Z', 0],
  ['nonsense', 0],
  [undefined, 0],
])('a placement of a pod made at %s is due after %d ms', (createdAt, afterMs) => {
  expect(placeOf(createdAt)).toBe(afterMs);
});
