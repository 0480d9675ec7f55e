import { describe, expect, it } from 'vitest';
import { windowSeconds } from './window.ts';

const T0 = Date.UTC(2026, 0, 1);

describe('how far to look back', () => {
  it('looks back a minute at least, and over the last complete sweep with room to spare', () => {
    expect(windowSeconds(T0, T0 - 1_000)).toBe(60);
    expect(windowSeconds(T0, T0 - 31_000)).toBe(61);
    expect(windowSeconds(T0, T0 - 120_500)).toBe(151);
  });

  it('looks at everything after a long pause, and at the first time', () => {
    expect(windowSeconds(T0, T0 - 3_570_000)).toBe(3_600);
    expect(windowSeconds(T0, T0 - 3_570_001)).toBeUndefined();
    expect(windowSeconds(T0, undefined)).toBeUndefined();
  });
});
