import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { X509CertificateGenerator } from '@peculiar/x509';
import { beforeAll, expect, it } from 'vitest';
import { pemKeyFault } from './pem-key.ts';

type Made = { readonly key: string; readonly cert: string };

async function selfSigned(algorithm: webcrypto.RsaHashedKeyGenParams | webcrypto.EcKeyGenParams): Promise<Made> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const signing = 'namedCurve' in algorithm ? { name: 'ECDSA', hash: 'SHA-256' } : algorithm;
  const cert = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=fleet.example',
    keys,
    signingAlgorithm: signing as never,
  });
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`,
    cert: cert.toString('pem'),
  };
}

const rsa = (modulusLength: number): webcrypto.RsaHashedKeyGenParams => ({
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
});

let good: Made;

beforeAll(async () => {
  good = await selfSigned({ name: 'ECDSA', namedCurve: 'P-256' });
});

it('a key of EC or of RSA with 2,048 bits is taken with its own certificate', async () => {
  expect(pemKeyFault(good.key, good.cert)).toBeUndefined();
  const large = await selfSigned(rsa(2_048));
  expect(pemKeyFault(large.key, large.cert)).toBeUndefined();
});

it('a small RSA key is refused', async () => {
  const small = await selfSigned(rsa(1_024));
  expect(pemKeyFault(small.key, small.cert)).toBe('is an RSA key of 1024 bits: it must have 2048');
});

const pkcs8 = { format: 'pem', type: 'pkcs8' } as const;

it.each<readonly [string, () => string, RegExp]>([
  [
    'of a weak curve',
    () => generateKeyPairSync('ec', { namedCurve: 'secp224r1' }).privateKey.export(pkcs8) as string,
    /curve secp224r1/,
  ],
  [
    'of RSA with exponent 3',
    () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey.export(pkcs8) as string,
    /small exponent/,
  ],
  [
    'of DSA',
    () => generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }).privateKey.export(pkcs8) as string,
    /kind dsa/,
  ],
  ['of key agreement only', () => generateKeyPairSync('x25519').privateKey.export(pkcs8) as string, /kind x25519/],
  [
    'public',
    () => generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }) as string,
    /public key or a certificate/,
  ],
  ['a certificate', () => good.cert, /public key or a certificate/],
  [
    'encrypted',
    () =>
      generateKeyPairSync('ed25519').privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'p' }) as string,
    /encrypted/,
  ],
  [
    'of another certificate',
    () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export(pkcs8) as string,
    /not the key of the certificate/,
  ],
  ['no PEM', () => 'canary', /no private key in PEM/],
])('a key that is %s is refused, and not repeated', (_, make, fault) => {
  const pem = make();
  const said = pemKeyFault(pem, good.cert);
  expect(said).toMatch(fault);
  for (const line of pem.split('\n').filter((l) => l.length > 16 || l === 'canary')) expect(said).not.toContain(line);
});

it('a certificate that is none is told', () => {
  expect(pemKeyFault(good.key, 'canary')).toMatch(/^has no certificate/);
});
