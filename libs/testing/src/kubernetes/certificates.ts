import 'reflect-metadata';
import { generateKeyPairSync, randomBytes, webcrypto, X509Certificate as Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
import { temporaryFolder } from '../processes/temporary-folder.ts';

/** PEM texts. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

interface CertificateRequest {
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

/** Files of a server on 127.0.0.1, gone with this process at the latest. */
export interface TestTls {
  readonly tls: { readonly certFile: string; readonly keyFile: string };
  /** PEM: the authority that its callers trust, and the same as a file. */
  readonly ca: string;
  readonly caFile: string;
  /** Writes another certificate and key of the same authority into the files; returns the serial number of the certificate. */
  renew(): Promise<string>;
}

/** What a server on 127.0.0.1 speaks TLS with. */
export async function newTls(): Promise<TestTls> {
  const authority = await createCertificateAuthority('spec');
  const { path } = temporaryFolder('tls');
  const [certFile, keyFile, caFile] = ['tls.crt', 'tls.key', 'ca.crt'].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ];
  const renew = async (): Promise<string> => {
    const { key, certificate } = await authority.issue({ commonName: 'control-plane', ips: ['127.0.0.1'] });
    await Promise.all([writeFile(keyFile, key), writeFile(certFile, certificate)]);
    return new Certificate(certificate).serialNumber;
  };
  await renew();
  await writeFile(caFile, authority.certificate);
  return { tls: { certFile, keyFile }, ca: authority.certificate, caFile, renew };
}
