import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from '../eventually.ts';
import { temporaryFolder, type TemporaryFolder } from '../processes/temporary-folder.ts';
import { KubernetesApi, type KubernetesAccess } from './api.ts';
import { addHealthyNode, type HealthyNode, type HealthyNodeOptions } from './healthy-node.ts';

/** What is needed to work with a running cluster, as plain data. */
export interface KubernetesConnection extends KubernetesAccess {
  /** Of the administrator. */
  readonly kubeconfig: string;
  /** Path of the program. */
  readonly kubectl: string;
}

interface KubectlOptions {
  /** Standard input: what `-f -` reads. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the administrator's. */
  readonly kubeconfig?: string;
  /** `false`: a failure is an answer, not an error. Default true. */
  readonly check?: boolean;
  /** Milliseconds until it is killed. Default 60,000. */
  readonly deadlineMs?: number;
}

interface KubectlResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

interface ServiceAccountKubeconfig {
  readonly namespace: string;
  readonly name: string;
  /** Life of its token. Default 3,600. */
  readonly expirationSeconds?: number;
}

/** A running cluster, seen by its administrator. Closing it leaves the cluster as it is. */
export class KubernetesCluster {
  readonly connection: KubernetesConnection;
  readonly api: KubernetesApi;
  readonly #nodes: HealthyNode[] = [];
  #folder: TemporaryFolder | undefined;

  constructor(connection: KubernetesConnection) {
    this.connection = connection;
    this.api = new KubernetesApi(connection);
  }

  /** Path of the administrator's kubeconfig. */
  get kubeconfig(): string {
    return this.connection.kubeconfig;
  }

  /** Path of the kubectl program; for one that runs long (`logs -f`), start it by `startProcess`. */
  get kubectlProgram(): string {
    return this.connection.kubectl;
  }

  /** Runs kubectl to its end. A failure throws with what it printed, unless `check` is false. */
  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
    const { input, env = {}, kubeconfig = this.kubeconfig, check = true, deadlineMs = 60_000 } = options;
    const child = spawn(this.connection.kubectl, args, {
      // A home of its own: settings and caches of the person who runs the tests stay out of it.
      env: { PATH: process.env['PATH'], HOME: this.#ownFolder(), KUBECONFIG: kubeconfig, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...end) => resolve(end));
    });
    if (check && code !== 0) {
      const how = code === null ? `was ended by ${signal} after ${deadlineMs} ms` : `failed with exit code ${code}`;
      throw new Error(`kubectl ${args.join(' ')} ${how}: ${stderr.trim() || stdout.trim()}`);
    }
    return { stdout, stderr, exitCode: code ?? 128 };
  }

  /** Writes a kubeconfig that holds nothing but a fresh token of an existing service account; returns its path. */
  async serviceAccountKubeconfig(account: ServiceAccountKubeconfig): Promise<string> {
    const { namespace, name, expirationSeconds = 3_600 } = account;
    const answer = await this.api.call('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds },
    });
    const path = join(this.#ownFolder(), `${namespace}-${name}-${randomBytes(4).toString('hex')}.kubeconfig`);
    await writeKubeconfig(path, this.connection, { token: answer.status.token as string });
    return path;
  }

  /** A namespace with a name of its own, for one spec file, in which pods can be made. `drop` asks for its removal and does not wait for it. */
  async createNamespace(
    labels: Readonly<Record<string, string>> = {},
  ): Promise<{ name: string; drop(): Promise<void> }> {
    const name = `test-${randomBytes(5).toString('hex')}`;
    await this.api.call('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    });
    await eventually(
      async () => (await this.api.ask('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`)).status === 200,
      { what: `namespace ${name} has its service account`, deadlineMs: 30_000 },
    );
    return { name, drop: async () => void (await this.api.ask('DELETE', `/api/v1/namespaces/${name}`)) };
  }

  /**
   * A node that looks healthy and runs nothing: Ready, its lease renewed by this process. The scheduler binds pods to it, which stay
   * Pending.
   */
  async addHealthyNode(options: HealthyNodeOptions = {}): Promise<HealthyNode> {
    const node = await addHealthyNode(this.api, options);
    this.#nodes.push(node);
    return node;
  }

  /** Ends what this object holds: heartbeats, connections, files. */
  async close(): Promise<void> {
    for (const node of this.#nodes) node.stopHeartbeat();
    await this.api.close();
    await this.#folder?.remove();
  }

  #ownFolder(): string {
    this.#folder ??= temporaryFolder('kubectl');
    return this.#folder.path;
  }
}

type User = { readonly token: string } | { readonly certificate: string; readonly key: string };

/** Writes a kubeconfig with one cluster, one user and one context, all secrets inside, mode 0600. */
export async function writeKubeconfig(
  path: string,
  cluster: Pick<KubernetesAccess, 'server' | 'authority'>,
  user: User,
): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'rig',
        cluster: { server: cluster.server, 'certificate-authority-data': base64(cluster.authority) },
      },
    ],
    users: [
      {
        name: 'rig',
        user:
          'token' in user
            ? { token: user.token }
            : { 'client-certificate-data': base64(user.certificate), 'client-key-data': base64(user.key) },
      },
    ],
    contexts: [{ name: 'rig', context: { cluster: 'rig', user: 'rig' } }],
    'current-context': 'rig',
  };
  await writeFile(path, stringify(config, { lineWidth: 0 }), { mode: 0o600 });
}
