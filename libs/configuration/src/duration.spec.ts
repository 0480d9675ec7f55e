import { expect, it } from 'vitest';
import { duration, durationMs, durationText } from './duration.ts';

it('durations are read, and nothing that is none', () => {
  expect([durationMs('90s'), durationMs('5m'), durationMs('2h'), durationMs('1d')]).toEqual([
    90_000, 300_000, 7_200_000, 86_400_000,
  ]);
  for (const wrong of ['5', 'm', '-5m', '5 m', '1.5h', '5w']) expect(durationMs(wrong)).toBeUndefined();
  expect(duration.safeParse('0s').error?.issues[0]?.message).toContain('such as 90s or 5m');
});

it('durations are written as a person would', () => {
  const written = ['90s', '5m', '2h', '14d'];
  expect(written.map((text) => durationText(durationMs(text)!))).toEqual(written);
});
