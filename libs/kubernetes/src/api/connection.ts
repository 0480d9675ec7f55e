import { HttpMethod, KubeConfig, RequestContext, type User } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import { Agent, type buildConnector, type Dispatcher } from 'undici';

export interface ConnectionOptions {
  /** A kubeconfig file. Absent: `KUBECONFIG` is not looked at; the service account of the pod is used. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Connections kept open at most; default 64. Each carries one request at a time. */
  readonly connections?: number;
}

/** A credential read from a file or made by a command is asked for again this often; tokens of service accounts rotate. */
const CREDENTIAL_LIFE_MS = 30_000;

/**
 * Where the API server is and how to be somebody there: kubeconfig, service account, client certificates, exec plug-ins and proxies are
 * client-node's matter. The connections are ours: client-node 2.0.1 makes a new connection pool, and so a TLS handshake, for every call
 * (`createDispatcher` in its config.js; only its WebSockets share one).
 */
export class Connection {
  readonly server: string;
  readonly kubeConfig: KubeConfig;
  private readonly connections: number;
  private dispatcher: { readonly key: string; readonly value: Dispatcher } | undefined;
  private credential: { readonly headers: Record<string, string>; readonly readAt: number } | undefined;

  constructor(kubeConfig: KubeConfig, connections = 64) {
    const cluster = kubeConfig.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no cluster for its current context');
    this.kubeConfig = kubeConfig;
    this.server = cluster.server.replace(/\/+$/, '');
    this.connections = connections;
  }

  static load({ kubeconfig, context, connections }: ConnectionOptions): Connection {
    const config = new KubeConfig();
    if (kubeconfig === undefined) {
      config.loadFromCluster();
    } else {
      try {
        config.loadFromFile(kubeconfig);
      } catch (error) {
        throw new Error(`kubeconfig ${kubeconfig} cannot be read: ${(error as Error).message}`, { cause: error });
      }
    }
    if (context !== undefined) config.setCurrentContext(context);
    allowPlainLoopback(config);
    return new Connection(config, connections);
  }

  /** Headers that say who we are, and the pool to send through. `now` is epoch milliseconds. */
  async authorize(now: number): Promise<{ readonly headers: Record<string, string>; readonly dispatcher: Dispatcher }> {
    if (!this.credential || !this.dispatcher || now - this.credential.readAt > CREDENTIAL_LIFE_MS) {
      const options: RequestOptions = {};
      await this.kubeConfig.applyToHTTPSOptions(options);
      this.credential = { headers: headersOf(options), readAt: now };
      await this.renewDispatcher(options);
    }
    return { headers: this.credential.headers, dispatcher: this.dispatcher!.value };
  }

  /** Reads the credential anew at the next request: the server refused the one we have. */
  forgetCredential(): void {
    this.credential = undefined;
  }

  async close(): Promise<void> {
    const dispatcher = this.dispatcher?.value;
    this.dispatcher = undefined;
    await dispatcher?.destroy();
  }

  /** A client certificate is part of the connection, so a renewed one needs a new pool; the old one finishes what it carries. */
  private async renewDispatcher(options: RequestOptions): Promise<void> {
    const tls = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'rejectUnauthorized', 'servername'] as const;
    const agentOptions = Object.fromEntries(tls.flatMap((k) => (options[k] === undefined ? [] : [[k, options[k]]])));
    const key = JSON.stringify(agentOptions, (_, value: unknown) =>
      Buffer.isBuffer(value) ? value.toString('hex') : value,
    );
    if (this.dispatcher?.key === key) return;
    const old = this.dispatcher?.value;
    this.dispatcher = { key, value: await this.makeDispatcher(agentOptions) };
    void old?.close();
  }

  private async makeDispatcher(agentOptions: object): Promise<Dispatcher> {
    const made = this.kubeConfig.createDispatcherOptions(this.kubeConfig.getCurrentCluster(), agentOptions);
    if (made.type === 'proxy' || made.type === 'socks') {
      const context = new RequestContext(this.server, HttpMethod.GET);
      await this.kubeConfig.applySecurityAuthentication(context);
      const proxied = context.getDispatcher();
      if (proxied) return proxied as unknown as Dispatcher;
    }
    return new Agent({
      connections: this.connections,
      pipelining: 1,
      // One HTTP/2 connection is 10–15 % slower here than many of HTTP/1.1, and one stuck connection would hold everything.
      allowH2: false,
      headersTimeout: 30_000,
      bodyTimeout: 60_000,
      keepAliveTimeout: 30_000,
      connect: { ...(made.type === 'agent' ? made.connect : {}), timeout: 5_000 } as buildConnector.BuildOptions,
    });
  }
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries((options.headers ?? {}) as Record<string, unknown>)) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
  }
  if (typeof options.auth === 'string') {
    headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  return headers;
}

/**
 * client-node speaks plain HTTP only when told to skip verification. On loopback (a demo API server, `kubectl proxy`) there is nothing to
 * verify, so such a kubeconfig works without the flag; anywhere else it stays refused.
 */
function allowPlainLoopback(config: KubeConfig): void {
  const cluster = config.getCurrentCluster();
  if (!cluster?.server.startsWith('http:')) return;
  const host = new URL(cluster.server).hostname;
  if (host === 'localhost' || host === '[::1]' || host.startsWith('127.')) {
    config.clusters = config.clusters.map((c) => (c === cluster ? { ...c, skipTLSVerify: true } : c));
  }
  // client-node reads TLS options only for a cluster with a user.
  if (!config.getCurrentUser()) {
    const user: User = { name: 'nobody' };
    config.addUser(user);
    config.contexts = config.contexts.map((c) => (c.name === config.currentContext ? { ...c, user: user.name } : c));
  }
}
