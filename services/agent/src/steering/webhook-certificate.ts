import { X509Certificate } from 'node:crypto';
import { isConflict, resources, type KubernetesApi, type SecretObject } from '#libs/kubernetes';
import type { Clock } from '#libs/runtime';
import { isAddress, makeCa, makeLeaf } from './self-made-certificate.ts';

/** PEM. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

interface CertificateKeeperOptions {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly namespace: string;
  /** DNS names and IP addresses under which the API server reaches the webhook. */
  readonly hosts: readonly string[];
}

const NAME = 'eci-fleet-agent-webhook';
const WEBHOOK_SECRET = 'eci-fleet-agent-webhook';
/** Certificates are renewed when this part of their life has passed. */
const RENEW_AT = 0.8;

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

    const signer = ca ?? (await makeCa(NAME, now));
    const leaf = await makeLeaf(signer, NAME, hosts, now);
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
function fresh(pem: string, now: number): boolean {
  const certificate = read(pem);
  if (!certificate) return false;
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  return now >= from && now < from + (to - from) * RENEW_AT;
}

function covers(pem: string, hosts: readonly string[]): boolean {
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
