import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adminTokenFault } from './admin-token.ts';

describe('an admin token', () => {
  it.each([
    ['base64', (bytes: Buffer) => bytes.toString('base64')],
    ['base64url', (bytes: Buffer) => bytes.toString('base64url')],
    ['hex', (bytes: Buffer) => bytes.toString('hex')],
    ['upper-case hex', (bytes: Buffer) => bytes.toString('hex').toUpperCase()],
  ])('of 32 random bytes in %s is taken, whatever they are', (_, encode) => {
    for (let i = 0; i < 2_000; i++) {
      const token = encode(randomBytes(32));
      expect([token, adminTokenFault(token)]).toEqual([token, undefined]);
    }
  });

  it('that is a random UUID is taken', () => {
    for (let i = 0; i < 2_000; i++) expect(adminTokenFault(randomUUID())).toBeUndefined();
  });

  it.each([
    'aaaaaaaaaaaaaaaa',
    'a'.repeat(200),
    '0'.repeat(64),
    '1234567890123456',
    'abcdefghijklmnopqrstuvwxyz',
    'zyxwvutsrqponmlkjihgfedcba9876543210',
    'abcabcabcabcabcabcabcabcabcabc',
    'a-long-admin-token',
    'change-me-please-now',
    'changeme-changeme-changeme-changeme-changeme',
    'CorrectHorseBatteryStaple',
    'Fleet-Admin-Token-2026!',
    'password1234567890password',
    '20260101-20261231-2026',
    'deadbeefdeadbeefdeadbeefdeadbeef',
  ])('that can be guessed is refused: %s', (token) => {
    expect(adminTokenFault(token)).toMatch(/^can be guessed.*openssl rand/);
  });

  it('that says a few characters over and over is refused, however long it is', () => {
    const few = fc.string({
      minLength: 1,
      maxLength: 8,
      unit: fc.integer({ min: 33, max: 126 }).map((c) => String.fromCharCode(c)),
    });
    fc.assert(
      fc.property(few, fc.integer({ min: 1, max: 60 }), (part, times) => {
        expect(adminTokenFault(part.repeat(times))).toBeDefined();
      }),
    );
  });

  it('that a header cannot carry is refused, and never repeated', () => {
    fc.assert(
      fc.property(fc.uint16Array({ min: 1, max: 0x2ff, minLength: 20, maxLength: 60 }), (units) => {
        const token = String.fromCharCode(...units);
        const fault = adminTokenFault(token);
        if (/[^\x21-\x7e]/.test(token)) expect(fault).toContain('Authorization header');
        if (fault !== undefined) expect(fault).not.toContain(token);
      }),
    );
  });
});
