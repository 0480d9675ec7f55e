import 'reflect-metadata';
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  type X509Certificate,
} from '@peculiar/x509';

/** PEM texts. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** What Kubernetes takes for the groups of a user. */
  readonly organization?: string;
  /** Names and addresses a server answers to. */
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
}

/** An authority made for one rig: it signs for servers and for clients. */
export interface CertificateAuthority extends KeyAndCertificate {
  issue(request: CertificateRequest): Promise<KeyAndCertificate>;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

/** A new authority, valid for a week from an hour ago (clocks differ). */
export async function createCertificateAuthority(commonName: string): Promise<CertificateAuthority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${commonName}`,
    ...validity(),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature, true),
    ],
  });
  return {
    key: await pemOf(keys.privateKey),
    certificate: certificate.toString('pem'),
    issue: (request) => issue(certificate, keys.privateKey, request),
  };
}

async function issue(
  authority: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  { commonName, organization, dns = [], ips = [] }: CertificateRequest,
): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const names = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: organization === undefined ? `CN=${commonName}` : `O=${organization}, CN=${commonName}`,
    issuer: authority.subject,
    ...validity(),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
    ],
  });
  return { key: await pemOf(keys.privateKey), certificate: certificate.toString('pem') };
}

/** The pair with which the API server signs service account tokens. */
export function createServiceAccountKeys(): { readonly privateKey: string; readonly publicKey: string } {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function serial(): string {
  // A leading 1 keeps the number positive.
  return `1${randomBytes(15).toString('hex').slice(1)}`;
}

function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - HOUR_MS), notAfter: new Date(now + 168 * HOUR_MS) };
}

/** What a server on 127.0.0.1 speaks TLS with, and the certificate of the authority that its callers trust. */
export async function newTls(): Promise<{
  readonly tls: { readonly cert: string; readonly key: string };
  readonly ca: string;
}> {
  const authority = await createCertificateAuthority('spec');
  const { key, certificate } = await authority.issue({ commonName: 'control-plane', ips: ['127.0.0.1'] });
  return { tls: { cert: certificate, key }, ca: authority.certificate };
}
