import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { bearerToken, isFromHere, Token } from '#libs/callers';
import { parse as parseYaml } from 'yaml';
import type { Admission } from './admission.ts';
import { discovered } from './discovery.ts';
import { ApiError, type ObjectStore, type WatchEvent } from './object-store.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patch.ts';
import { apiVersionOf, RESOURCES, type KubernetesObject, type ResourceType } from './resources.ts';
import { matchesFields, matchesLabels } from './selectors.ts';
import { tableOf, wantsTable } from './table.ts';
import { demoToken } from './token.ts';

interface Target {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

const BOOKMARK_EVERY_MS = 30_000;

/** What an API server in trouble answers in place of what it should. */
export interface Refusal {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

/** Asked before a request is handled; an answer is given instead. `verb` as Kubernetes names it: get, list, watch, create, patch, … */
export type RefuseRequest = (request: {
  readonly verb: string;
  readonly kind: string;
  readonly path: string;
  readonly userAgent: string;
}) => Refusal | undefined;

/** TLS, since kubectl sends no token without it. PEM. */
interface Door {
  readonly token: string;
  readonly cert: string;
  readonly key: string;
}

/** List, watch, get, create, update, patch and delete over HTTP, for what an agent uses. Whoever shows the token may do anything. */
export class ApiServer {
  private readonly store: ObjectStore;
  private readonly admission: Admission;
  private readonly refuse: RefuseRequest;
  private readonly token: Token;
  private readonly server: Server;

  constructor(store: ObjectStore, admission: Admission, door: Door, refuse: RefuseRequest = () => undefined) {
    this.token = new Token(door.token);
    this.store = store;
    this.admission = admission;
    this.refuse = refuse;
    this.server = createServer({ cert: door.cert, key: door.key }, (request, response) => {
      void this.answer(request, response);
    });
    this.server.requestTimeout = 0;
    this.server.keepAliveTimeout = 75_000;
  }

  async listen(port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    return `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.admit(request);
      const url = new URL(request.url ?? '/', 'http://demo');
      const told = request.method === 'GET' ? discovered(url.pathname) : undefined;
      if (told) return send(response, 200, told);
      if (/^\/(readyz|livez|healthz)$/.test(url.pathname)) return void response.writeHead(200).end('ok');
      const target = targetOf(url.pathname);
      if (!target) throw new ApiError(404, 'NotFound', `the demo cluster has no resource at ${url.pathname}`);
      const refusal = this.refuse({
        verb: verbOf(request, target, url),
        kind: target.type.kind,
        path: url.pathname,
        userAgent: request.headers['user-agent'] ?? '',
      });
      if (refusal) throw new ApiError(refusal.code, refusal.reason, refusal.message);
      const body = request.method === 'GET' ? undefined : await bodyOf(request);
      if (request.method === 'GET' && !target.name && url.searchParams.get('watch'))
        return this.watch(target, url, response, (object) => shown(object, request, target, url));
      const answer = await this.handle(request, target, url, body);
      send(response, request.method === 'POST' ? 201 : 200, shown(answer, request, target, url));
    } catch (error) {
      const known =
        error instanceof ApiError
          ? error
          : new ApiError(400, 'BadRequest', error instanceof Error ? error.message : String(error));
      if (response.headersSent) return void response.end();
      send(response, known.code, statusOf(known));
    }
  }

  /** Of all callers of this machine those with the kubeconfig, and no page that a browser shows. */
  private admit({ headers }: IncomingMessage): void {
    if (!isFromHere(headers))
      throw new ApiError(403, 'Forbidden', 'the demo cluster answers no pages: call it by 127.0.0.1, without Origin');
    const given = bearerToken(headers);
    if (given === undefined || !this.token.equals(given))
      throw new ApiError(401, 'Unauthorized', 'send the token of the kubeconfig that npm start names');
  }

  private async handle(request: IncomingMessage, target: Target, url: URL, body: unknown): Promise<unknown> {
    const { type, namespace, name, subresource } = target;
    switch (request.method) {
      case 'GET':
        if (subresource !== undefined && subresource !== 'status')
          throw new ApiError(404, 'NotFound', `the demo cluster has no ${subresource} of ${type.plural}`);
        return name ? this.store.get(type, namespace, name) : this.list(target, url);
      case 'POST':
        return this.create(target, body as Partial<KubernetesObject>);
      case 'PUT':
        return this.store.update(
          type,
          namespace,
          name as string,
          body as Partial<KubernetesObject>,
          subresource === 'status' ? 'status' : 'all',
        );
      case 'PATCH':
        return this.patch(target, request.headers['content-type'] ?? '', body);
      case 'DELETE':
        return this.remove(
          target,
          url,
          body as { gracePeriodSeconds?: number; preconditions?: { uid?: string } } | undefined,
        );
      default:
        throw new ApiError(405, 'MethodNotAllowed', `${request.method} is not supported`);
    }
  }

  private list({ type, namespace }: Target, url: URL): unknown {
    const items = this.store.list(type, namespace).filter((o) => selected(o, url));
    return {
      apiVersion: apiVersionOf(type),
      kind: `${type.kind}List`,
      metadata: { resourceVersion: String(this.store.resourceVersion) },
      items,
    };
  }

  private async create(
    { type, namespace, name, subresource }: Target,
    body: Partial<KubernetesObject>,
  ): Promise<unknown> {
    if (type.kind === 'ServiceAccount' && subresource === 'token') {
      this.store.get(type, namespace, name as string);
      return demoToken(
        body as { spec?: { audiences?: string[]; expirationSeconds?: number } },
        `system:serviceaccount:${namespace}:${name}`,
      );
    }
    if (type.kind === 'Pod' && subresource === 'binding') {
      const node = (body as { target?: { name?: string } }).target?.name;
      const pod = this.store.get(type, namespace, name as string);
      this.store.update(type, namespace, name as string, { ...pod, spec: { ...pod.spec, nodeName: node } }, 'all');
      return { kind: 'Status', apiVersion: 'v1', status: 'Success' };
    }
    const admitted = type.kind === 'Pod' ? await this.admission.admit(body, namespace ?? 'default') : body;
    return this.store.create(type, namespace, admitted);
  }

  private patch({ type, namespace, name, subresource }: Target, contentType: string, patch: unknown): unknown {
    let current: KubernetesObject;
    try {
      current = this.store.get(type, namespace, name as string);
    } catch (error) {
      // Server-side apply makes what is missing.
      if (!contentType.includes('apply-patch') || subresource) throw error;
      return this.store.create(type, namespace, patch as Partial<KubernetesObject>);
    }
    const next = contentType.includes('json-patch')
      ? jsonPatch(current, patch as { op: string; path: string; value?: unknown }[])
      : contentType.includes('merge-patch+json') && !contentType.includes('strategic')
        ? mergePatch(current, patch)
        : strategicMergePatch(current, patch);
    const wanted = (patch as { metadata?: { uid?: string; resourceVersion?: string } }).metadata;
    const merged = next as KubernetesObject;
    // Only what the patch itself names is a precondition.
    const metadata = {
      ...merged.metadata,
      uid: wanted?.uid ?? current.metadata.uid,
      resourceVersion: wanted?.resourceVersion ?? current.metadata.resourceVersion,
    };
    return this.store.update(
      type,
      namespace,
      name as string,
      { ...merged, metadata },
      subresource === 'status' ? 'status' : 'all',
    );
  }

  private remove(
    { type, namespace, name }: Target,
    url: URL,
    body: { gracePeriodSeconds?: number; preconditions?: { uid?: string } } | undefined,
  ): unknown {
    const grace =
      body?.gracePeriodSeconds ??
      (url.searchParams.has('gracePeriodSeconds') ? Number(url.searchParams.get('gracePeriodSeconds')) : undefined);
    const uid = body?.preconditions?.uid;
    return this.store.delete(type, namespace, name as string, {
      ...(uid === undefined ? {} : { uid }),
      ...(grace === undefined ? {} : { graceSeconds: grace }),
    });
  }

  private watch(
    { type, namespace }: Target,
    url: URL,
    response: ServerResponse,
    shape: (object: KubernetesObject) => unknown,
  ): void {
    const since = Number(url.searchParams.get('resourceVersion') ?? 0) || this.store.resourceVersion;
    // An object that stops matching the selector is, for this watcher, deleted.
    const known = new Set(
      this.store
        .list(type, namespace)
        .filter((o) => selected(o, url) && Number(o.metadata.resourceVersion) <= since)
        .map((o) => o.metadata.uid),
    );
    const write = (line: unknown): void => void response.write(`${JSON.stringify(line)}\n`);
    const relay = (event: WatchEvent): void => {
      if (namespace !== undefined && event.object.metadata.namespace !== namespace) return;
      const { uid } = event.object.metadata;
      const matches = selected(event.object, url) && event.type !== 'DELETED';
      if (!matches && !known.has(uid)) return;
      const type_ = !matches ? 'DELETED' : known.has(uid) ? 'MODIFIED' : 'ADDED';
      if (matches) known.add(uid);
      else known.delete(uid);
      write({ type: type_, object: shape(event.object) });
    };
    const stopWatching = ((): (() => void) => {
      const early: WatchEvent[] = [];
      let live = false;
      const stop = this.store.watch(type, since, (event) => (live ? relay(event) : early.push(event)));
      response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
      response.flushHeaders();
      live = true;
      early.forEach(relay);
      return stop;
    })();
    const bookmarks = setInterval(
      () =>
        write({
          type: 'BOOKMARK',
          object: {
            apiVersion: apiVersionOf(type),
            kind: type.kind,
            metadata: { resourceVersion: String(this.store.resourceVersion) },
          },
        }),
      BOOKMARK_EVERY_MS,
    );
    const timeoutSeconds = Number(url.searchParams.get('timeoutSeconds') ?? 0);
    const timeout = timeoutSeconds > 0 ? setTimeout(() => response.end(), timeoutSeconds * 1000) : undefined;
    response.on('close', () => {
      stopWatching();
      clearInterval(bookmarks);
      clearTimeout(timeout);
    });
  }
}

/** As it is, or as the rows of a table where the client asked for one: that is how `kubectl get` prints. */
function shown(answer: unknown, request: IncomingMessage, { type }: Target, url: URL): unknown {
  const { kind } = answer as { kind?: string };
  const isOne = kind === type.kind;
  if (request.method !== 'GET' || !wantsTable(request.headers.accept)) return answer;
  if (!isOne && kind !== `${type.kind}List`) return answer;
  const objects = isOne ? [answer as KubernetesObject] : (answer as { items: KubernetesObject[] }).items;
  return tableOf(type, objects, {
    resourceVersion: (answer as { metadata: { resourceVersion: string } }).metadata.resourceVersion,
    whole: url.searchParams.get('includeObject') === 'Object',
    now: Date.now(),
  });
}

function verbOf({ method }: IncomingMessage, target: Target, url: URL): string {
  if (method === 'POST') return 'create';
  if (method !== 'GET') return method === 'PUT' ? 'update' : (method ?? '').toLowerCase();
  return target.name ? 'get' : url.searchParams.get('watch') ? 'watch' : 'list';
}

function selected(object: KubernetesObject, url: URL): boolean {
  return (
    matchesLabels(url.searchParams.get('labelSelector'), object.metadata.labels) &&
    matchesFields(url.searchParams.get('fieldSelector'), object)
  );
}

/** `/api/v1/…` and `/apis/<group>/<version>/…`, with or without a namespace. */
function targetOf(path: string): Target | undefined {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  const group = parts[0] === 'api' ? '' : parts[1];
  let rest = parts[0] === 'api' ? parts.slice(2) : parts.slice(3);
  if (parts[0] !== 'api' && parts[0] !== 'apis') return undefined;
  let namespace: string | undefined;
  if (rest[0] === 'namespaces' && rest.length > 2 && RESOURCES.some((r) => r.plural === rest[2])) {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const type = RESOURCES.find((r) => r.group === group && r.plural === rest[0]);
  return type && { type, namespace, name: rest[1], subresource: rest[2] };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  if (text === '') return undefined;
  return (request.headers['content-type'] ?? '').includes('yaml') ? parseYaml(text) : JSON.parse(text);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function statusOf(error: ApiError): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Status',
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    code: error.code,
  };
}
