import { describe, expect, it } from 'vitest';
import { clientTokenOf } from './client-token.ts';
import { tokenAge } from './token-life.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const token = (agoMinutes: number, lifeMinutes: number) => ({
  path: 'v/token',
  issuedAt: new Date(NOW - agoMinutes * 60_000).toISOString(),
  expiresAt: new Date(NOW + (lifeMinutes - agoMinutes) * 60_000).toISOString(),
});

describe('the age of a pod’s tokens', () => {
  it.each([
    ['fresh', [token(29, 60)]],
    ['ageing', [token(31, 60)]],
    ['expired', [token(60, 60)]],
    ['fresh', []],
    ['ageing', [token(0, 60), token(40, 60)]],
    ['expired', [token(40, 60), token(70, 60)]],
  ] as const)('is %s', (age, tokens) => {
    expect(tokenAge(tokens, NOW)).toBe(age);
  });
});

describe('a client token', () => {
  it('is the same for the same attempt and differs for every other', () => {
    const token = clientTokenOf('fleet', 'container_group:k:u', 1);
    expect(clientTokenOf('fleet', 'container_group:k:u', 1)).toBe(token);
    expect(
      new Set([
        token,
        clientTokenOf('fleet', 'container_group:k:u', 2),
        clientTokenOf('fleet', 'container_group:k:u1', 1),
        clientTokenOf('fleet2', 'container_group:k:u', 1),
      ]).size,
    ).toBe(4);
  });

  it('fits what the cloud takes', () => {
    expect(clientTokenOf('f', 's', 1)).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });
});
