import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkMac, MAC_HEADER, macKeyOf, withMac, type MacKey } from './message-mac.ts';
import type { IncomingMessage, OutgoingMessage } from './messaging.ts';

const TOPIC = 'eci-fleet.cluster.k1.v1';
const ours = macKeyOf('k-1', randomBytes(32));

type Heard = Pick<IncomingMessage, 'key' | 'value' | 'headers'>;

const heard = (topic: string, message: OutgoingMessage, key: MacKey): Heard => ({
  headers: {},
  ...withMac(topic, message, key),
});
const check = (message: Heard, topic = TOPIC) =>
  checkMac(topic, message, (kid) => (kid === ours.kid ? ours.key : undefined));

const messages = fc.record({
  key: fc.string({ maxLength: 60 }),
  value: fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 300 })),
});

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

describe('the MAC of a message', () => {
  it('proves what was said as it was said', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(check(heard(TOPIC, message, ours))).toBe('valid');
      }),
    );
  });

  it('proves nothing once any bit of the value was changed', () => {
    fc.assert(
      fc.property(fc.string(), fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), (key, value, at) => {
        const message = heard(TOPIC, { key, value }, ours);
        expect(check({ ...message, value: flipped(value, at % (value.length * 8)) })).toBe('wrong');
      }),
    );
  });

  it('proves nothing once any bit of it was changed itself', () => {
    const message = heard(TOPIC, { key: 'u1', value: Buffer.from('{}') }, ours);
    const mac = Buffer.from(message.headers[MAC_HEADER]!.slice('k-1.'.length), 'base64url');
    for (let bit = 0; bit < mac.length * 8; bit++) {
      const header = `k-1.${Buffer.from(flipped(mac, bit)).toString('base64url')}`;
      expect(check({ ...message, headers: { [MAC_HEADER]: header } })).toBe('wrong');
    }
  });

  it('proves nothing of another pod, another topic, a tombstone made of a status or a status made of a tombstone', () => {
    fc.assert(
      fc.property(messages, fc.string(), fc.string(), (message, otherKey, otherTopic) => {
        fc.pre(otherKey !== message.key && otherTopic !== TOPIC);
        const said = heard(TOPIC, message, ours);
        expect(check({ ...said, key: otherKey })).toBe('wrong');
        expect(check(said, otherTopic)).toBe('wrong');
        expect(check({ ...said, value: message.value === null ? new Uint8Array() : null })).toBe('wrong');
      }),
    );
  });

  it('does not let the border between key and value be moved', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (key, value) => {
        const said = heard(TOPIC, { key, value: Buffer.from(value) }, ours);
        expect(check({ ...said, key: key + value[0]!, value: Buffer.from(value.slice(1)) })).toBe('wrong');
      }),
    );
  });

  it('of another key says nothing, under its own name or under ours', () => {
    const theirs = macKeyOf('k-2', randomBytes(32));
    const posing = macKeyOf(ours.kid, randomBytes(32));
    const message = { key: 'u1', value: Buffer.from('{}') };
    expect(check(heard(TOPIC, message, theirs))).toBe('unknown-key');
    expect(check(heard(TOPIC, message, posing))).toBe('wrong');
    // The name of the key is part of what is proven.
    const renamed = heard(TOPIC, message, { kid: 'k-3', key: ours.key });
    const header = renamed.headers[MAC_HEADER]!.replace('k-3', ours.kid);
    expect(check({ ...renamed, headers: { [MAC_HEADER]: header } })).toBe('wrong');
  });

  it.each([
    '',
    '.',
    'k-1',
    'k-1.',
    'k-1.AAAA',
    `k-1.${'A'.repeat(44)}`,
    `k 1.${'A'.repeat(43)}`,
    `k-1.${'A'.repeat(42)}B`,
  ])('is none when its header says %j', (header) => {
    expect(check({ key: 'u1', value: null, headers: { [MAC_HEADER]: header } })).toBe('wrong');
  });

  it('is missed when there is none, whatever else is in the headers', () => {
    expect(check({ key: 'u1', value: null, headers: { traceparent: 'x' } })).toBe('absent');
  });
});
