import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { isConflict, resources, type KubernetesApi, type SecretObject, type Stored } from '#libs/kubernetes';

/** The agent's key, and the cluster it became by joining. */
export interface Identity {
  readonly privateKey: JWK;
  readonly publicKey: JWK;
  readonly cluster?: { readonly id: string; readonly audience: string } | undefined;
}

const IDENTITY_SECRET = 'eci-fleet-agent';

/**
 * Keeps the agent's identity in a Secret of its namespace. The key is stored before it is ever used, so an agent that dies after joining
 * joins again with the same key, which the control plane takes as a repeat.
 */
export class IdentityStore {
  private readonly api: KubernetesApi;
  private readonly place: { readonly namespace: string; readonly name: string };

  constructor(api: KubernetesApi, namespace: string) {
    this.api = api;
    this.place = { namespace, name: IDENTITY_SECRET };
  }

  /** UID of namespace kube-system: what tells one cluster from another. */
  async fingerprint(): Promise<string> {
    const namespace = await this.api.get(resources.namespaces, { name: 'kube-system' });
    return namespace.metadata.uid;
  }

  /** Reads the identity; makes and stores a key pair (EC P-256) when there is none. */
  async load(): Promise<Identity> {
    const stored = (await this.api.find(resources.secrets, this.place)) ?? (await this.make());
    return this.parse(stored);
  }

  async joined(cluster: { readonly id: string; readonly audience: string }): Promise<void> {
    await this.api.patch(resources.secrets, this.place, 'merge', {
      data: { 'cluster-id': base64(cluster.id), audience: base64(cluster.audience) },
    });
  }

  /** Puts a new key in the place of one that was retired, and forgets the cluster that it had joined. */
  async renew(): Promise<Identity> {
    const stored = await this.api.patch(resources.secrets, this.place, 'merge', {
      data: { 'private-key.jwk': base64(JSON.stringify(await newKey())), 'cluster-id': null, audience: null },
    });
    return this.parse(stored);
  }

  private async make(): Promise<Stored<SecretObject>> {
    const jwk = await newKey();
    try {
      return await this.api.create(
        resources.secrets,
        { namespace: this.place.namespace },
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: { name: this.place.name, labels: { 'app.kubernetes.io/part-of': 'eci-fleet' } },
          type: 'Opaque',
          data: { 'private-key.jwk': base64(JSON.stringify(jwk)) },
        },
      );
    } catch (error) {
      // Another start of this agent was faster: its key is the key.
      if (isConflict(error)) return await this.api.get(resources.secrets, this.place);
      throw error;
    }
  }

  private async parse(secret: Stored<SecretObject>): Promise<Identity> {
    const where = `Secret ${this.place.namespace}/${this.place.name}`;
    const text = plain(secret.data?.['private-key.jwk']);
    if (text === undefined) throw new Error(`${where} has no key private-key.jwk: delete the Secret and join again`);
    let privateKey: JWK;
    try {
      privateKey = JSON.parse(text) as JWK;
    } catch {
      throw new Error(`${where}: private-key.jwk is no JSON: delete the Secret and join again`);
    }
    const { kty, crv, x, y } = privateKey;
    if (kty !== 'EC' || crv !== 'P-256' || !x || !y || !privateKey.d) {
      throw new Error(`${where}: private-key.jwk is no private EC P-256 key: delete the Secret and join again`);
    }
    const publicKey: JWK = { kty, crv, x, y };
    publicKey.kid = await calculateJwkThumbprint(publicKey);
    const id = plain(secret.data?.['cluster-id']);
    const audience = plain(secret.data?.audience);
    return { privateKey, publicKey, cluster: id && audience ? { id, audience } : undefined };
  }
}

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return exportJWK(privateKey);
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
const plain = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : Buffer.from(text, 'base64').toString('utf8');
