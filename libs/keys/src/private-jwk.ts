import { createECDH, createPrivateKey, createPublicKey } from 'node:crypto';
import { secretBytesFault } from './secret-bytes.ts';

export type CurveOfJwk = 'P-256' | 'Ed25519';

const KINDS = {
  'P-256': { kty: 'EC', name: 'a private EC P-256 JWK', halves: ['x', 'y'] },
  Ed25519: { kty: 'OKP', name: 'a private Ed25519 JWK', halves: ['x'] },
} as const;

/** What keeps a value from being a good private key of this curve as a JWK; undefined: nothing. Never repeats a part of it. */
export function privateJwkFault(value: unknown, curve: CurveOfJwk): string | undefined {
  const { kty, name, halves } = KINDS[curve];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `is not ${name}`;
  const jwk = value as Readonly<Record<string, unknown>>;
  if (jwk['kty'] !== kty || jwk['crv'] !== curve)
    return `is not ${name}, but a key of another kind (look at kty and crv)`;
  if (jwk['d'] === undefined) return `is not ${name}, but a public key: give the private one`;
  const missing = [...halves, 'd'].filter((part) => typeof jwk[part] !== 'string' || jwk[part] === '');
  if (missing.length > 0) return `is not ${name} (look at ${missing.join(', ')})`;
  const secret = Buffer.from(jwk['d'] as string, 'base64url');
  if (secret.length !== 32) return 'is not a key: d is not 32 bytes in base64url';
  // Asked before the key is made: some of these are none, and what they are is the better reason.
  const weakness = secretBytesFault(secret);
  if (weakness !== undefined) return `can be guessed: its private part ${weakness}`;
  const own = publicHalf(curve, secret);
  if (own === undefined) return 'is not a key: d is none of this curve';
  return halves.every((part) => own[part] === jwk[part])
    ? undefined
    : `is not a key: ${halves.join(' and ')} ${halves.length > 1 ? 'are' : 'is'} not the public half of d`;
}

/** Made of `d` alone: an EC key that is imported as a JWK keeps whatever x and y were given. */
function publicHalf(curve: CurveOfJwk, secret: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    if (curve === 'Ed25519') {
      const key = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), secret]);
      return { ...createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).export({ format: 'jwk' }) };
    }
    const ecdh = createECDH('prime256v1');
    ecdh.setPrivateKey(secret);
    const point = ecdh.getPublicKey();
    return { x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
  } catch {
    return undefined;
  }
}
