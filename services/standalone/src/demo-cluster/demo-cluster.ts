/**
 * A cluster to try things with: an HTTP server with the semantics of the Kubernetes API for what an agent uses, a scheduler that binds pods,
 * and users who keep creating and deleting them. An unmodified agent connects to it by kubeconfig.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { Token } from '#libs/callers';
import { Loop, SystemClock, SystemIds, SystemRandom } from '#libs/runtime';
import { makeCa, makeLeaf } from '../../../agent/src/steering/self-made-certificate.ts';
import { Admission, resource } from './admission.ts';
import { ApiServer, type RefuseRequest } from './api-server.ts';
import { Client, type Answered } from './client.ts';
import { ObjectStore, type StoredState } from './object-store.ts';
import { startScheduler } from './scheduler.ts';
import { Workload } from './workload.ts';

export interface DemoCluster {
  readonly url: string;
  /** What callers show, as `Authorization: Bearer <token>`; new at each start. */
  readonly token: string;
  /** That signed its certificate, PEM. */
  readonly ca: string;
  /** Text of a kubeconfig that reaches it. */
  readonly kubeconfig: string;
  /** One request with the token. */
  ask(method: string, path: string, body?: unknown): Promise<Answered>;
  startWorkload(): void;
  /** Forgets what changed before now, as a compaction does: a watch from an earlier resourceVersion gets 410 Expired. */
  forgetHistory(): void;
  stop(): Promise<void>;
}

const NAMESPACES = ['default', 'kube-system', 'kube-node-lease', 'eci-fleet', 'checkout', 'search', 'reports'];

/** `stateFile` keeps objects with their UIDs and resourceVersions between runs. */
export async function startDemoCluster(options: {
  port?: number;
  stateFile?: string;
  onError: (error: unknown) => void;
  /** An API server in trouble. */
  refuse?: RefuseRequest;
}): Promise<DemoCluster> {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const store = new ObjectStore(clock, new SystemIds(), await stored(options.stateFile));
  populate(store);
  const admission = new Admission(store);
  const token = Token.random();
  const now = clock.now();
  const ca = await makeCa('demo-cluster', now);
  const certificate = await makeLeaf(ca, 'demo-cluster', ['127.0.0.1', 'localhost'], now);
  const server = new ApiServer(store, admission, { token, ...certificate }, options.refuse);
  const url = await server.listen(options.port ?? 0);
  const client = new Client({ url, token, ca: ca.cert });
  const stopScheduler = startScheduler(store);
  const pods = resource('Pod');
  const webhooks = resource('MutatingWebhookConfiguration');
  const workload = new Workload(
    {
      list: () => store.list(pods),
      create: async (pod) =>
        void (await client.done(
          'POST',
          `/api/v1/namespaces/${(pod as { metadata: { namespace: string } }).metadata.namespace}/pods`,
          pod,
        )),
      delete: async (namespace, name) =>
        void (await client.done('DELETE', `/api/v1/namespaces/${namespace}/pods/${name}`, {})),
    },
    clock,
    random,
    options.onError,
  );
  let savedVersion = store.resourceVersion;
  const save = async (): Promise<void> => {
    if (!options.stateFile || savedVersion === store.resourceVersion) return;
    savedVersion = store.resourceVersion;
    await writeFile(`${options.stateFile}.new`, JSON.stringify(store.dump()), { mode: 0o600 });
    await rename(`${options.stateFile}.new`, options.stateFile);
  };
  const saving = new Loop({
    name: 'demo-save',
    clock,
    random,
    idleMs: 500,
    onError: options.onError,
    step: async () => {
      await save();
      return 'idle';
    },
  });
  if (options.stateFile) saving.start();
  return {
    url,
    token,
    ca: ca.cert,
    kubeconfig: kubeconfigOf(url, token, ca.cert),
    ask: (method, path, body) => client.ask(method, path, body),
    startWorkload: () => {
      // Users come when the cluster is ready for them: a pod that is created before its webhook is never steered.
      if (store.list(webhooks).length > 0) return workload.start();
      const stop = store.watch(webhooks, store.resourceVersion, () => {
        stop();
        workload.start();
      });
    },
    forgetHistory: () => store.forgetHistory(),
    stop: async () => {
      await workload.stop();
      stopScheduler();
      await server.close();
      await saving.stop();
      await save();
    },
  };
}

async function stored(file: string | undefined): Promise<StoredState | undefined> {
  if (!file) return undefined;
  try {
    return JSON.parse(await readFile(file, 'utf8')) as StoredState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(
      `the demo cluster's objects cannot be read from ${file}: remove the file to start with an empty cluster`,
      { cause: error },
    );
  }
}

function populate(store: ObjectStore): void {
  const namespaces = resource('Namespace');
  for (const name of NAMESPACES) {
    if (store.list(namespaces).some((n) => n.metadata.name === name)) continue;
    store.create(namespaces, undefined, {
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } as never,
    });
    store.create(resource('ServiceAccount'), name, { metadata: { name: 'default' } as never });
  }
  const services = resource('Service');
  // Webhooks of the last run listen no more; the agent registers its own anew.
  const webhooks = resource('MutatingWebhookConfiguration');
  for (const { metadata } of store.list(webhooks)) store.delete(webhooks, undefined, metadata.name, {});
  if (store.list(services).length > 0) return;
  store.create(services, 'default', {
    metadata: { name: 'kubernetes' } as never,
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
  });
  store.create(services, 'kube-system', {
    metadata: { name: 'kube-dns' } as never,
    spec: { clusterIP: '10.96.0.10', ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] },
  });
}

function kubeconfigOf(server: string, token: string, ca: string): string {
  return `${JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        { name: 'demo', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } },
      ],
      users: [{ name: 'demo', user: { token } }],
      contexts: [{ name: 'demo', context: { cluster: 'demo', user: 'demo' } }],
      'current-context': 'demo',
    },
    null,
    2,
  )}\n`;
}
