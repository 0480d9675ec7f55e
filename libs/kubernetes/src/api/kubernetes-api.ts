import { Watch } from '@kubernetes/client-node';
import type { Clock } from '#libs/runtime';
import { Connection } from './connection.ts';
import { errorOfAnswer, KubernetesError } from './kubernetes-error.ts';
import type { KubernetesObject, Stored } from './objects.ts';
import { RateLimiter, type Priority } from './rate-limiter.ts';
import { pathOf, type Place, type Resource } from './resources.ts';

export interface KubernetesApiOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** Requests a second over everything but watches and heartbeats; default 200 (the usual 5 caps a virtual node at about 5 pods/s). */
  readonly qps?: number;
  /** Told of every finished request; `status` 0 = no answer. For metrics. */
  readonly onRequest?: (request: {
    readonly verb: string;
    readonly resource: string;
    readonly status: number;
    readonly ms: number;
  }) => void;
  readonly userAgent?: string;
}

export interface CallOptions {
  /** Default `normal`. */
  readonly priority?: Priority;
  /** Milliseconds for the whole request, waiting for its turn not counted; default 30,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * `merge` is RFC 7386. `strategic` is Kubernetes' own, which merges conditions by type, so that conditions of others stay.
 */
export type PatchKind = 'merge' | 'strategic' | 'json';

const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
};

export interface Page<T extends KubernetesObject> {
  readonly items: readonly Stored<T>[];
  readonly resourceVersion: string;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Ask for metadata alone; servers that cannot do that answer whole objects. */
  readonly metadataOnly?: boolean;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: Stored;
}

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly resourceVersion: string;
  /** The server ends the watch after about this many seconds. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** Must not throw and must not wait: what it throws is lost in client-node. */
  readonly onEvent: (event: WatchEvent) => void;
}

const PAGE = 500;
const MAX_TRIES = 4;
/** Bookmarks come about once a minute; a watch that says nothing for longer hangs on a dead connection. */
const WATCH_SILENCE_MS = 100_000;

/**
 * The API server in few verbs. Requests wait for their turn by priority, go over kept connections with many in flight, and repeat themselves
 * only where the server surely did nothing (429, and 401 once with a fresh credential). Every failure is a `KubernetesError`.
 */
export class KubernetesApi {
  private readonly connection: Connection;
  private readonly clock: Clock;
  private readonly limiter: RateLimiter;
  private readonly options: KubernetesApiOptions;

  constructor(options: KubernetesApiOptions) {
    this.options = options;
    this.connection = options.connection;
    this.clock = options.clock;
    this.limiter = new RateLimiter({ clock: options.clock, qps: options.qps ?? 200 });
  }

  /** Requests that wait for their turn. */
  get queued(): number {
    return this.limiter.queued;
  }

  get server(): string {
    return this.connection.server;
  }

  get<T extends KubernetesObject>(resource: Resource<T>, place: Place, options: CallOptions = {}): Promise<Stored<T>> {
    return this.call('GET', resource, place, options);
  }

  /** Like `get`, with undefined for an object that does not exist. */
  async find<T extends KubernetesObject>(
    resource: Resource<T>,
    place: Place,
    options: CallOptions = {},
  ): Promise<Stored<T> | undefined> {
    try {
      return await this.get(resource, place, options);
    } catch (error) {
      if (error instanceof KubernetesError && error.notFound) return undefined;
      throw error;
    }
  }

  /** All objects, page by page out of one consistent snapshot; complete, or it throws. */
  async list<T extends KubernetesObject>(resource: Resource<T>, options: ListOptions = {}): Promise<Page<T>> {
    const items: Stored<T>[] = [];
    let next = '';
    let resourceVersion: string;
    do {
      const page: { metadata?: { continue?: string; resourceVersion?: string }; items?: Stored<T>[] } = await this.call(
        'GET',
        resource,
        { namespace: options.namespace },
        options,
        {
          query: {
            limit: PAGE,
            continue: next,
            fieldSelector: options.fieldSelector,
            labelSelector: options.labelSelector,
          },
          ...(options.metadataOnly
            ? { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json' }
            : {}),
        },
      );
      for (const item of page.items ?? []) items.push(item);
      next = page.metadata?.continue ?? '';
      resourceVersion = page.metadata?.resourceVersion ?? '';
    } while (next !== '');
    return { items, resourceVersion };
  }

  create<T extends KubernetesObject>(
    resource: Resource<T>,
    place: Place,
    object: KubernetesObject | Record<string, unknown>,
    options: CallOptions = {},
  ): Promise<Stored<T>> {
    return this.call('POST', resource, place, options, { body: object, contentType: 'application/json' });
  }

  /** Replaces an object; its `resourceVersion` is the precondition. */
  replace<T extends KubernetesObject>(
    resource: Resource<T>,
    place: Place,
    object: KubernetesObject,
    options: CallOptions = {},
  ): Promise<Stored<T>> {
    return this.call('PUT', resource, place, options, { body: object, contentType: 'application/json' });
  }

  /** `metadata.uid` and `metadata.resourceVersion` inside the patch are preconditions: 409 when they do not hold. */
  patch<T extends KubernetesObject>(
    resource: Resource<T>,
    place: Place,
    kind: PatchKind,
    patch: unknown,
    options: CallOptions = {},
  ): Promise<Stored<T>> {
    return this.call('PATCH', resource, place, options, { body: patch, contentType: PATCH_TYPES[kind] });
  }

  /** Deletes exactly the object with this UID: another one of the same name answers 409. */
  async delete(
    resource: Resource,
    place: Place,
    { uid, gracePeriodSeconds }: { readonly uid: string; readonly gracePeriodSeconds?: number },
    options: CallOptions = {},
  ): Promise<void> {
    await this.call('DELETE', resource, place, options, {
      contentType: 'application/json',
      body: {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid },
        ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      },
    });
  }

  /** Resolves when the watch has ended: by the server, by silence, or by `signal`. Rejects with what the server said against it. */
  async watch(resource: Resource, options: WatchOptions): Promise<void> {
    const request = `WATCH ${pathOf(resource, options)}`;
    if (options.signal.aborted) return;
    const watch = new Watch(this.connection.kubeConfig);
    // client-node ends a watch after 30 s without a word, which is less than the time between two bookmarks.
    Object.assign(watch, { requestTimeoutMs: WATCH_SILENCE_MS });
    let failure: KubernetesError | undefined;
    let abort = (): void => undefined;
    let stopped = (): void => undefined;
    await new Promise<void>((resolve) => {
      const query = {
        resourceVersion: options.resourceVersion,
        allowWatchBookmarks: true,
        timeoutSeconds: options.timeoutSeconds,
        fieldSelector: options.fieldSelector,
        labelSelector: options.labelSelector,
      };
      const onEvent = (type: string, object: Stored): void => {
        if (type === 'ERROR') {
          const status = object as unknown as { code?: number };
          failure ??= errorOfAnswer(request, status.code ?? 500, JSON.stringify(object));
          return;
        }
        options.onEvent({ type: type as WatchEvent['type'], object });
      };
      const onDone = (error: unknown): void => {
        if (error && !failure && !options.signal.aborted) failure = watchFailure(request, error);
        resolve();
      };
      watch.watch(pathOf(resource, options), query, onEvent, onDone).then(
        (controller) => {
          abort = () => controller.abort();
          if (options.signal.aborted) abort();
        },
        (error: unknown) => onDone(error),
      );
      stopped = () => {
        abort();
        resolve();
      };
      options.signal.addEventListener('abort', stopped, { once: true });
    });
    options.signal.removeEventListener('abort', stopped);
    if (failure && failure.status === 401) this.connection.forgetCredential();
    if (failure && !options.signal.aborted) throw failure;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private async call<R>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    resource: Resource,
    place: Place,
    options: CallOptions,
    more: {
      readonly query?: Record<string, string | number | undefined>;
      readonly body?: unknown;
      readonly contentType?: string;
      readonly accept?: string;
    } = {},
  ): Promise<R> {
    const path = pathOf(resource, place);
    const request = `${method} ${path}`;
    const name = place.subresource === undefined ? resource.plural : `${resource.plural}/${place.subresource}`;
    const body = more.body === undefined ? undefined : JSON.stringify(more.body);
    for (let attempt = 1; ; attempt++) {
      await this.limiter.take(options.priority ?? 'normal');
      const begun = this.clock.now();
      const answer = await this.send(method, path, body, options, more).catch((error: unknown) => {
        this.options.onRequest?.({ verb: method, resource: name, status: 0, ms: this.clock.now() - begun });
        throw unreachable(request, error);
      });
      this.options.onRequest?.({ verb: method, resource: name, status: answer.status, ms: this.clock.now() - begun });
      if (answer.status < 300) return JSON.parse(answer.text) as R;
      const error = errorOfAnswer(request, answer.status, answer.text, answer.retryAfter);
      if (error.status === 401 && attempt === 1) {
        this.connection.forgetCredential();
        continue;
      }
      if (error.status === 429 && attempt < MAX_TRIES) {
        await this.clock.sleep(Math.min(10_000, error.retryAfterMs ?? 1_000), options.signal);
        if (!options.signal?.aborted) continue;
      }
      throw error;
    }
  }

  private async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: string | undefined,
    options: CallOptions,
    more: { query?: Record<string, string | number | undefined>; contentType?: string; accept?: string },
  ): Promise<{ status: number; text: string; retryAfter?: string }> {
    const { headers, dispatcher } = await this.connection.authorize(this.clock.now());
    const url = new URL(this.connection.server + path);
    for (const [key, value] of Object.entries(more.query ?? {})) {
      if (value !== undefined && value !== '') url.searchParams.set(key, String(value));
    }
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 30_000);
    const answer = await dispatcher.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: {
        ...headers,
        accept: more.accept ?? 'application/json',
        'user-agent': this.options.userAgent ?? 'eci-fleet',
        ...(more.contentType === undefined ? {} : { 'content-type': more.contentType }),
      },
      ...(body === undefined ? {} : { body }),
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
    const retryAfter = answer.headers['retry-after'];
    return {
      status: answer.statusCode,
      text: await answer.body.text(),
      ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
    };
  }
}

/** Errors of the connection name host and port, never headers; only their code and text are kept. */
function unreachable(request: string, error: unknown): KubernetesError {
  if (error instanceof KubernetesError) return error;
  const { code, message, name, cause } = error as { code?: unknown; message?: string; name?: string; cause?: unknown };
  const inner = cause as { code?: unknown; message?: string } | undefined;
  const words = [code ?? inner?.code, inner?.message ?? message ?? name].filter(
    (w) => typeof w === 'string' && w !== '',
  );
  return new KubernetesError({ request, status: 0, reason: 'Unreachable', detail: words.join(' ') });
}

function watchFailure(request: string, error: unknown): KubernetesError | undefined {
  const { statusCode, name } = error as { statusCode?: number; name?: string };
  // Silence is no failure: the reflector watches again from where it was.
  if (name === 'TimeoutError') return undefined;
  if (statusCode !== undefined) return errorOfAnswer(request, statusCode, '');
  return unreachable(request, error);
}
