import { describe, expect, it } from 'vitest';
import { MasterKey } from './master-key.ts';
import { CannotOpen, createPurpose, INTENT, StreamVault } from './stream-vault.ts';

const vault = new StreamVault(new MasterKey(new Uint8Array(32).fill(1)));
const SECRET = { env: { a: 'canary-secret-value' } };

describe('the data key of a stream', () => {
  it('opens what it sealed, also after it was wrapped and unlocked', () => {
    const key = vault.create('s1');
    const sealed = key.seal(SECRET, INTENT);
    expect(vault.unlock('s1', key.wrapped).open(sealed, INTENT)).toEqual(SECRET);
  });

  it('shows nothing of what it sealed', () => {
    const text = Buffer.from(vault.create('s1').seal(SECRET, INTENT)).toString('latin1');
    expect(text).not.toContain('canary');
  });

  it.each([
    ['another purpose', (bytes: Uint8Array) => vault.unlock('s1', one.wrapped).open(bytes, createPurpose(1))],
    ['another stream’s key', (bytes: Uint8Array) => vault.create('s1').open(bytes, INTENT)],
    [
      'a changed byte',
      (bytes: Uint8Array) => one.open(bytes.with(20, (bytes[20] as number) ^ 1) as Uint8Array, INTENT),
    ],
    ['too few bytes', () => one.open(new Uint8Array(3), INTENT)],
  ])('does not open for %s, and says nothing of the content', (_, open) => {
    const bytes = one.seal(SECRET, INTENT);
    expect(() => open(bytes)).toThrow(CannotOpen);
    expect(() => open(bytes)).not.toThrow(/canary/);
  });
  const one = vault.create('s1');

  it('does not unlock for another stream', () => {
    expect(() => vault.unlock('s2', one.wrapped)).toThrow(/stream-key:s2/);
  });

  it('gives equal digests for equal values under one key, and others under another', () => {
    const [a, b] = [vault.create('s1'), vault.create('s1')];
    expect(a.digest('n', 'v')).toBe(a.digest('n', 'v'));
    expect(a.digest('n', 'v')).not.toBe(a.digest('m', 'v'));
    expect(a.digest('n', 'v')).not.toBe(b.digest('n', 'v'));
    // The name does not run into the value.
    expect(a.digest('nv', '')).not.toBe(a.digest('n', 'v'));
  });
});
