import { compactVerify, exportJWK, generateKeyPair, importJWK, calculateJwkThumbprint, type JWK } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { AuditKey, auditKeyFault, AuditKeyRing, AuditSigner, publicAuditKey } from './audit-key.ts';

let key: AuditKey;
let other: AuditKey;

async function newKey(): Promise<AuditKey> {
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true });
  return AuditKey.parse(await exportJWK(privateKey));
}

beforeAll(async () => {
  key = await newKey();
  other = await newKey();
});

describe('a signature of a seal', () => {
  it('is a JWS that a JOSE library checks with the public key alone', async () => {
    const signer = new AuditSigner(key);
    const { payload, protectedHeader } = await compactVerify(
      signer.sign('{"a":1}'),
      await importJWK(signer.publicKey as unknown as JWK, 'EdDSA'),
    );
    expect(Buffer.from(payload).toString('utf8')).toBe('{"a":1}');
    expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: signer.keyId, typ: 'eci-fleet-seal+jws' });
  });

  it('fits its text and its key, and no other', () => {
    const signer = new AuditSigner(key);
    const ring = new AuditKeyRing([signer.publicKey]);
    const signature = signer.sign('text');
    expect(ring.check('text', signer.keyId, signature)).toBe('good');
    expect(ring.check('texT', signer.keyId, signature)).toBe('bad');
    expect(ring.check('text', signer.keyId, signature.slice(0, -4))).toBe('bad');
    expect(ring.check('text', signer.keyId, 'nonsense')).toBe('bad');
    expect(ring.check('text', 'another', signature)).toBe('unknown-key');
  });

  it('of another key under the same name does not fit', () => {
    const forger = new AuditSigner({ ...other, kid: publicAuditKey(key).kid });
    const ring = new AuditKeyRing([publicAuditKey(key)]);
    expect(ring.check('text', forger.keyId, forger.sign('text'))).toBe('bad');
  });
});

describe('an audit key', () => {
  it('is named by its thumbprint, or as it says', async () => {
    expect(publicAuditKey(key).kid).toBe(await calculateJwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: key.x }));
    expect(publicAuditKey({ ...key, kid: '2026' }).kid).toBe('2026');
  });

  it('never shows its private half in public', () => {
    expect(JSON.stringify(new AuditSigner(key).publicKey)).not.toContain(key.d);
  });

  it('is refused with what is wrong, without being repeated', () => {
    expect(auditKeyFault(key)).toBeUndefined();
    const faults = [
      auditKeyFault(undefined),
      auditKeyFault({ kty: 'EC', crv: 'P-256', x: key.x, d: key.d }),
      auditKeyFault({ ...key, d: undefined }),
      auditKeyFault({ ...key, d: 'c2hvcnQ' }),
      auditKeyFault({ ...key, x: other.x }),
    ];
    for (const fault of faults) {
      expect(fault).toMatch(/^is not a/);
      expect(fault).not.toContain(key.d);
    }
  });
});
