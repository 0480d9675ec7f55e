import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CannotUnwrap, MasterKey } from './master-key.ts';

const key = new MasterKey(new Uint8Array(32).fill(3));

describe('master key', () => {
  it('gives back what it wrapped', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (plain, purpose) => {
        expect(Buffer.from(key.unwrap(key.wrap(plain, purpose), purpose))).toEqual(Buffer.from(plain));
      }),
    );
  });

  it('refuses every changed byte, another purpose and another key', () => {
    const wrapped = key.wrap(Buffer.from('a data key of 32 bytes, or so...'), 'stream:a');
    for (let i = 0; i < wrapped.length; i++) {
      const changed = Uint8Array.from(wrapped);
      changed[i]! ^= 1;
      expect(() => key.unwrap(changed, 'stream:a'), `byte ${i}`).toThrow(CannotUnwrap);
    }
    expect(() => key.unwrap(wrapped, 'stream:b')).toThrow(CannotUnwrap);
    expect(() => key.unwrap(wrapped.subarray(0, 20), 'stream:a')).toThrow(CannotUnwrap);
    const other = new MasterKey(new Uint8Array(32).fill(4));
    expect(() => other.unwrap(wrapped, 'stream:a')).toThrow(`this process has ${other.id}`);
  });

  it('never makes the same bytes twice, nor shows what is in them', () => {
    const plain = Buffer.from('canary-of-a-data-key');
    const [a, b] = [key.wrap(plain, 'p'), key.wrap(plain, 'p')];
    expect(Buffer.from(a).equals(Buffer.from(b))).toBe(false);
    expect(Buffer.from(a).includes(plain)).toBe(false);
  });

  it('wants 32 bytes', () => {
    expect(() => new MasterKey(new Uint8Array(16))).toThrow('32 bytes');
  });
});
