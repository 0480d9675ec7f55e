import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const LEAST_RSA_BITS = 2_048;
const LEAST_EXPONENT = 65_537n;

/**
 * What keeps a PEM file from being a good private key of a server, the one of its certificate (the first of a chain, PEM); undefined: nothing. Never
 * repeats a part of it.
 */
export function pemKeyFault(pem: string, certificate: string): string | undefined {
  const key = privateKeyOf(pem);
  if (typeof key === 'string') return key;
  return kindFault(key) ?? certificateFault(key, certificate);
}

function privateKeyOf(pem: string): KeyObject | string {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    if (/ENCRYPTED/.test(pem) || (error as NodeJS.ErrnoException).code === 'ERR_MISSING_PASSPHRASE')
      return 'is encrypted with a passphrase: give it without one, readable to this process only';
  }
  try {
    createPublicKey(pem);
    return 'holds a public key or a certificate: give the private key';
  } catch {
    return 'holds no private key in PEM';
  }
}

function kindFault(key: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      if (modulusLength < LEAST_RSA_BITS)
        return `is an RSA key of ${modulusLength} bits: it must have ${LEAST_RSA_BITS}`;
      return publicExponent < LEAST_EXPONENT ? 'is an RSA key with a small exponent: it must be 65537' : undefined;
    case 'ec':
      return CURVES.has(namedCurve) ? undefined : `is a key of the curve ${namedCurve}: take P-256, P-384 or P-521`;
    case 'ed25519':
    case 'ed448':
      return undefined;
    default:
      return `is a key of the kind ${key.asymmetricKeyType ?? 'unknown'}: take EC or RSA`;
  }
}

function certificateFault(key: KeyObject, certificate: string): string | undefined {
  let first: X509Certificate;
  try {
    first = new X509Certificate(certificate);
  } catch {
    return 'has no certificate: what is given as one is none in PEM';
  }
  return first.checkPrivateKey(key) ? undefined : 'is not the key of the certificate';
}
