import { expect, it } from 'vitest';
import { waitedMs } from './waited.ts';

it('a row has waited what stands in its data under the name, and else nothing', () => {
  const data = { missedMs: 4_000, presentMs: '9' };
  expect(['missedMs', 'presentMs', 'absentMs'].map((name) => waitedMs({ data }, name))).toEqual([4_000, 0, 0]);
});
