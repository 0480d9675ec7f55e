import { createPrivateKey, createPublicKey, createHash, sign, verify, type KeyObject } from 'node:crypto';
import { privateJwkFault } from '#libs/keys';
import { z } from 'zod';
import type { SealSigner } from './seal.ts';

/**
 * Private Ed25519 key as a JWK. Ed25519: deterministic (no random number can leak the key), small, and in every JOSE library. A JWK and not PEM:
 * one line, so it fits a variable of the environment as well as a file, the same form as the token key, and it carries its own `kid`.
 */
export const AuditKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().min(1),
  d: z.string().min(1),
  kid: z.string().min(1).max(200).optional(),
});
export type AuditKey = z.infer<typeof AuditKey>;

/** Public half, as `audit keys` prints it and auditors keep it. */
export const PublicAuditKey = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().min(1),
  kid: z.string().min(1).max(200).optional(),
});
export type PublicAuditKey = z.infer<typeof PublicAuditKey>;

/** A public key that can be named: `kid` is always there. */
export interface NamedAuditKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly alg: 'EdDSA';
  readonly use: 'sig';
}

const JWS_TYPE = 'eci-fleet-seal+jws';

/** What keeps this JWK from signing; undefined: nothing. Never repeats the key. */
export function auditKeyFault(value: unknown): string | undefined {
  const fault = privateJwkFault(value, 'Ed25519');
  if (fault !== undefined) return fault;
  return AuditKey.safeParse(value).success ? undefined : 'is not a private Ed25519 JWK (look at kid)';
}

/** With its name: the `kid` it came with, or its RFC 7638 thumbprint. */
export function publicAuditKey({ x, kid }: PublicAuditKey): NamedAuditKey {
  return { kty: 'OKP', crv: 'Ed25519', x, kid: kid ?? thumbprint(x), alg: 'EdDSA', use: 'sig' };
}

/** RFC 7638: the required members in order, hashed. */
function thumbprint(x: string): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x }), 'utf8')
    .digest('base64url');
}

/** Signs seals as compact JWS (RFC 7515, `EdDSA` of RFC 8037), so that any JOSE library can check them. */
export class AuditSigner implements SealSigner {
  readonly publicKey: NamedAuditKey;
  private readonly key: KeyObject;

  constructor(key: AuditKey) {
    this.publicKey = publicAuditKey(key);
    this.key = privateKeyOf(key);
  }

  get keyId(): string {
    return this.publicKey.kid;
  }

  sign(text: string): string {
    const header = JSON.stringify({ alg: 'EdDSA', kid: this.keyId, typ: JWS_TYPE });
    const input = `${base64url(header)}.${base64url(text)}`;
    return `${input}.${sign(null, Buffer.from(input, 'ascii'), this.key).toString('base64url')}`;
  }
}

/** Checks signatures against public keys by their name. */
export class AuditKeyRing {
  private readonly keys = new Map<string, KeyObject>();

  constructor(keys: readonly NamedAuditKey[]) {
    for (const { kid, x } of keys)
      this.keys.set(kid, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
  }

  get size(): number {
    return this.keys.size;
  }

  has(keyId: string): boolean {
    return this.keys.has(keyId);
  }

  /** `good`, `bad`, or `unknown-key`. Good = exactly this text, under exactly this key. */
  check(text: string, keyId: string, signature: string): 'good' | 'bad' | 'unknown-key' {
    const key = this.keys.get(keyId);
    if (!key) return 'unknown-key';
    const [header, payload, bytes, ...rest] = signature.split('.');
    if (header === undefined || payload !== base64url(text) || bytes === undefined || rest.length > 0) return 'bad';
    if (!isOurHeader(header, keyId)) return 'bad';
    const input = Buffer.from(`${header}.${payload}`, 'ascii');
    return verify(null, input, key, Buffer.from(bytes, 'base64url')) ? 'good' : 'bad';
  }
}

function isOurHeader(text: string, keyId: string): boolean {
  try {
    const header = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Record<string, unknown>;
    return header['alg'] === 'EdDSA' && header['kid'] === keyId && header['crit'] === undefined;
  } catch {
    return false;
  }
}

function privateKeyOf({ x, d }: AuditKey): KeyObject {
  return createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' });
}

const base64url = (text: string): string => Buffer.from(text, 'utf8').toString('base64url');
