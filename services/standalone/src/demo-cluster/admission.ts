import { request } from 'node:https';
import { jsonPatch } from './patch.ts';
import type { ObjectStore } from './object-store.ts';
import { RESOURCES, type KubernetesObject, type ResourceType } from './resources.ts';
import { matchesLabelSelector } from './selectors.ts';

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly url?: string; readonly caBundle?: string };
  readonly namespaceSelector?: object;
  readonly objectSelector?: object;
}

/** Calls the mutating webhooks that are registered for pods. One that does not answer is passed over, as failurePolicy Ignore asks. */
export class Admission {
  private readonly store: ObjectStore;

  constructor(store: ObjectStore) {
    this.store = store;
  }

  async admit(pod: Partial<KubernetesObject>, namespace: string): Promise<Partial<KubernetesObject>> {
    const labels = this.store.list(resource('Namespace')).find((n) => n.metadata.name === namespace)?.metadata.labels;
    let admitted = pod;
    for (const configuration of this.store.list(resource('MutatingWebhookConfiguration'))) {
      for (const webhook of (configuration['webhooks'] ?? []) as Webhook[]) {
        const applies =
          matchesLabelSelector(webhook.namespaceSelector, labels) &&
          matchesLabelSelector(webhook.objectSelector, admitted.metadata?.labels);
        if (applies && webhook.clientConfig.url) admitted = await called(webhook, admitted, namespace);
      }
    }
    return admitted;
  }
}

async function called(
  webhook: Webhook,
  pod: Partial<KubernetesObject>,
  namespace: string,
): Promise<Partial<KubernetesObject>> {
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'demo',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace,
      operation: 'CREATE',
      object: { apiVersion: 'v1', kind: 'Pod', ...pod },
    },
  };
  const answer = await post(webhook, review).catch(() => undefined);
  const patch = answer?.response?.patch;
  if (!patch) return pod;
  return jsonPatch(pod, JSON.parse(Buffer.from(patch, 'base64').toString('utf8'))) as Partial<KubernetesObject>;
}

function post(webhook: Webhook, body: unknown): Promise<{ response?: { patch?: string } }> {
  return new Promise((resolve, reject) => {
    const call = request(
      webhook.clientConfig.url as string,
      {
        method: 'POST',
        timeout: 5_000,
        headers: { 'content-type': 'application/json' },
        ...(webhook.clientConfig.caBundle ? { ca: Buffer.from(webhook.clientConfig.caBundle, 'base64') } : {}),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    call.on('timeout', () => call.destroy(new Error('webhook timed out')));
    call.on('error', reject);
    call.end(JSON.stringify(body));
  });
}

export function resource(kind: string): ResourceType {
  return RESOURCES.find((r) => r.kind === kind) as ResourceType;
}
