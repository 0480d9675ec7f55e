import 'reflect-metadata';
import { X509Certificate, type webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { isConflict, resources, type KubernetesApi, type SecretObject } from '#libs/kubernetes';
import type { Clock } from '#libs/runtime';

/** PEM. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface CertificateKeeperOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly namespace: string;
  /** DNS names and IP addresses under which the API server reaches the webhook. */
  readonly hosts: readonly string[];
}

export const WEBHOOK_SECRET = 'eci-fleet-agent-webhook';
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const LEAF_DAYS = 90;
/** Certificates are renewed when this part of their life has passed. */
const RENEW_AT = 0.8;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/**
 * The webhook's certificate, signed by a CA of its own that is kept in a Secret, so that it outlives the agent and several replicas share it.
 * `current` makes what is missing, renews at 80 % of a life, and signs anew when the hosts change.
 */
export class CertificateKeeper {
  private readonly options: CertificateKeeperOptions;

  constructor(options: CertificateKeeperOptions) {
    this.options = options;
  }

  async current(): Promise<ServingCertificate> {
    const { api, namespace, clock, hosts } = this.options;
    const place = { namespace, name: WEBHOOK_SECRET };
    const secret = await api.find(resources.secrets, place);
    const stored = secret && storedOf(secret);
    const now = clock.now();
    const ca = stored && fresh(stored.ca, now) ? { cert: stored.ca, key: stored.caKey } : undefined;
    if (stored && ca && fresh(stored.cert, now) && covers(stored.cert, hosts) && signedBy(stored.cert, stored.ca))
      return stored;

    const signer = ca ?? (await makeCa(now));
    const leaf = await makeLeaf(signer, hosts, now);
    const data = {
      'ca.crt': base64(signer.cert),
      'ca.key': base64(signer.key),
      'tls.crt': base64(leaf.cert),
      'tls.key': base64(leaf.key),
    };
    try {
      if (secret) {
        await api.patch(resources.secrets, place, 'merge', {
          metadata: { resourceVersion: secret.metadata.resourceVersion },
          data,
        });
      } else {
        await api.create(
          resources.secrets,
          { namespace },
          {
            apiVersion: 'v1',
            kind: 'Secret',
            metadata: { name: WEBHOOK_SECRET, labels: { 'app.kubernetes.io/part-of': 'eci-fleet' } },
            type: 'kubernetes.io/tls',
            data,
          },
        );
      }
    } catch (error) {
      if (!isConflict(error)) throw error;
      // Another start of this agent was faster; what it made is taken.
      return await this.current();
    }
    return { cert: leaf.cert, key: leaf.key, ca: signer.cert };
  }
}

function storedOf(secret: SecretObject): (ServingCertificate & { readonly caKey: string }) | undefined {
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
  const stored = { cert: text('tls.crt'), key: text('tls.key'), ca: text('ca.crt'), caKey: text('ca.key') };
  return Object.values(stored).every((t) => t !== '') ? stored : undefined;
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

function read(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** Is the certificate in the first 80 % of its life? */
export function fresh(pem: string, now: number): boolean {
  const certificate = read(pem);
  if (!certificate) return false;
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return now >= from && now < from + (to - from) * RENEW_AT;
}

export function covers(pem: string, hosts: readonly string[]): boolean {
  const certificate = read(pem);
  return (
    certificate !== undefined &&
    hosts.every((host) => (isAddress(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined)
  );
}

function signedBy(pem: string, ca: string): boolean {
  const [certificate, issuer] = [read(pem), read(ca)];
  return certificate !== undefined && issuer !== undefined && certificate.verify(issuer.publicKey);
}

const isAddress = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':');

async function makeCa(now: number): Promise<{ cert: string; key: string }> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: 'CN=eci-fleet-agent-webhook-ca',
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

async function makeLeaf(
  ca: { readonly cert: string; readonly key: string },
  hosts: readonly string[],
  now: number,
): Promise<{ cert: string; key: string }> {
  const issuer = new x509.X509Certificate(ca.cert);
  const signingKey = await crypto.subtle.importKey('pkcs8', derOf(ca.key), ALGORITHM, false, ['sign']);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=eci-fleet-agent-webhook',
    issuer: issuer.subject,
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + LEAF_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isAddress(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { cert: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // Positive, as RFC 5280 wants it.
  bytes[0]! &= 0x7f;
  return Buffer.from(bytes).toString('hex');
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function derOf(pem: string): ArrayBuffer {
  return x509.PemConverter.decodeFirst(pem);
}
