import { Agent, type buildConnector, type Dispatcher } from 'undici';
import type { Access, AccessTls } from './access.ts';
import { ClientNodeAccess } from './client-node-access.ts';
import { plainAccess, readKubeconfig, serviceAccountAccess } from './plain-access.ts';

interface ConnectionOptions {
  /** A kubeconfig file. Absent: the service account of the pod is used; `KUBECONFIG` is not looked at. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Where a pod finds the API server; needed without a kubeconfig. */
  readonly inCluster?: { readonly host: string; readonly port: number } | undefined;
  /** Connections kept open at most; default 64. Each carries one request at a time. */
  readonly connections?: number;
}

/** A credential read from a file or made by a command is asked for again this often; tokens of service accounts rotate. */
const CREDENTIAL_LIFE_MS = 30_000;

/**
 * The way to an API server and the name under which one is there. The connections are ours: client-node 2.0.1 makes a new connection pool, and
 * so a TLS handshake, for every call (`createDispatcher` in its config.js; only its WebSockets share one).
 */
export class Connection {
  readonly server: string;
  private readonly access: Access;
  private readonly connections: number;
  private dispatcher: { readonly key: string; readonly value: Dispatcher } | undefined;
  private credential: { readonly headers: Record<string, string>; readonly readAt: number } | undefined;

  constructor(access: Access, connections = 64) {
    this.access = access;
    this.server = access.server;
    this.connections = connections;
  }

  /** Throws when the kubeconfig cannot be read or names no cluster. */
  static load({ kubeconfig, context, inCluster, connections }: ConnectionOptions): Connection {
    if (kubeconfig === undefined) {
      if (!inCluster) throw new Error('neither a kubeconfig nor the API server of a pod is given');
      return new Connection(serviceAccountAccess(inCluster), connections);
    }
    const read = readKubeconfig(kubeconfig, context);
    const access = plainAccess(read) ?? new ClientNodeAccess(String(read.cluster['server']), kubeconfig, context);
    return new Connection(access, connections);
  }

  /** Headers that say who we are, and the pool to send through. `now` is epoch milliseconds. */
  async authorize(now: number): Promise<{ readonly headers: Record<string, string>; readonly dispatcher: Dispatcher }> {
    if (!this.credential || !this.dispatcher || now - this.credential.readAt > CREDENTIAL_LIFE_MS) {
      const { headers, tls } = await this.access.read();
      this.credential = { headers, readAt: now };
      await this.renewDispatcher(tls);
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
  private async renewDispatcher(tls: AccessTls): Promise<void> {
    const key = JSON.stringify(tls, (_, value: unknown) => (Buffer.isBuffer(value) ? value.toString('hex') : value));
    if (this.dispatcher?.key === key) return;
    const old = this.dispatcher?.value;
    this.dispatcher = { key, value: await this.makeDispatcher(tls) };
    void old?.close();
  }

  private async makeDispatcher(tls: AccessTls): Promise<Dispatcher> {
    const { dispatcher, connect = tls } = (await this.access.route?.(tls)) ?? {};
    if (dispatcher) return dispatcher;
    return new Agent({
      connections: this.connections,
      pipelining: 1,
      // One HTTP/2 connection is 10–15 % slower here than many of HTTP/1.1, and one stuck connection would hold everything.
      allowH2: false,
      headersTimeout: 30_000,
      bodyTimeout: 60_000,
      keepAliveTimeout: 30_000,
      connect: { ...connect, timeout: 5_000 } as buildConnector.BuildOptions,
    });
  }
}
