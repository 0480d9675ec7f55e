import type { KubeConfig } from '@kubernetes/client-node';
import type { RequestOptions } from 'node:https';
import type { Dispatcher } from 'undici';
import type { Access, AccessTls, Credential } from './access.ts';

const TLS_OPTIONS = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'rejectUnauthorized', 'servername'] as const;

/**
 * Access by whatever a kubeconfig may hold: commands, identity providers, proxies are client-node's matter. It is loaded at the first use.
 * `server` as the kubeconfig names it.
 */
export class ClientNodeAccess implements Access {
  readonly server: string;
  private readonly path: string;
  private readonly context: string | undefined;
  private config: Promise<KubeConfig> | undefined;

  constructor(server: string, path: string, context?: string) {
    this.server = server.replace(/\/+$/, '');
    this.path = path;
    this.context = context;
  }

  async read(): Promise<Credential> {
    const options: RequestOptions = {};
    await (await this.loaded()).applyToHTTPSOptions(options);
    const tls = TLS_OPTIONS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]));
    return { headers: headersOf(options), tls: Object.fromEntries(tls) as AccessTls };
  }

  async route(tls: AccessTls): Promise<{ readonly dispatcher?: Dispatcher; readonly connect?: object }> {
    const config = await this.loaded();
    const made = config.createDispatcherOptions(config.getCurrentCluster(), tls);
    if (made.type === 'agent') return { connect: made.connect as object };
    const { HttpMethod, RequestContext } = await import('@kubernetes/client-node');
    const request = new RequestContext(this.server, HttpMethod.GET);
    await config.applySecurityAuthentication(request);
    const dispatcher = request.getDispatcher() as unknown as Dispatcher | undefined;
    return dispatcher === undefined ? {} : { dispatcher };
  }

  private loaded(): Promise<KubeConfig> {
    this.config ??= (async () => {
      const { KubeConfig } = await import('@kubernetes/client-node');
      const config = new KubeConfig();
      config.loadFromFile(this.path);
      if (this.context !== undefined) config.setCurrentContext(this.context);
      return config;
    })();
    return this.config;
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
