import type { Clock } from '#libs/runtime';
import { Connection } from './connection.ts';
import { exchange, readLines, type Answer } from './exchange.ts';
import { errorOfAnswer, KubernetesError } from './kubernetes-error.ts';
import type { KubernetesObject, Stored } from './objects.ts';
import { RateLimiter, type Priority } from './rate-limiter.ts';
import { pathOf, type Place, type Resource } from './resources.ts';

interface KubernetesApiOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** Requests a second over everything but watches and heartbeats; default 500 (the usual 5 caps a virtual node at about 5 pods/s). */
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

/** For writers who need not know what became of the object: the server sends its metadata alone, and nothing of it is parsed. */
interface BlindOptions extends CallOptions {
  readonly blind: true;
}

/**
 * `merge` is RFC 7386. `strategic` is Kubernetes' own, which merges conditions by type, so that conditions of others stay.
 */
type PatchKind = 'merge' | 'strategic' | 'json';

const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
};

interface Page<T extends KubernetesObject> {
  readonly items: readonly Stored<T>[];
  readonly resourceVersion: string;
}

interface ListOptions extends CallOptions {
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

interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly resourceVersion: string;
  /** The server ends the watch after about this many seconds. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** Must not throw and must not wait. */
  readonly onEvent: (event: WatchEvent) => void;
  /** The server has taken the watch; events follow when there are some. */
  readonly onOpen?: () => void;
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
  private readonly origin: string;
  /** Path of a server that is behind another, as with some proxies. */
  private readonly prefix: string;
  private readonly userAgent: string;

  constructor(options: KubernetesApiOptions) {
    this.options = options;
    this.connection = options.connection;
    const { origin, pathname } = new URL(options.connection.server);
    this.origin = origin;
    this.prefix = pathname.replace(/\/+$/, '');
    this.userAgent = options.userAgent ?? 'eci-fleet';
    this.clock = options.clock;
    this.limiter = new RateLimiter({ clock: options.clock, qps: options.qps ?? 500 });
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

  create(resource: Resource, place: Place, object: Record<string, unknown>, options: BlindOptions): Promise<void>;
  create<T extends KubernetesObject>(
    resource: Resource<T>,
    place: Place,
    object: KubernetesObject | Record<string, unknown>,
    options?: CallOptions,
  ): Promise<Stored<T>>;
  create(resource: Resource, place: Place, object: unknown, options: CallOptions | BlindOptions = {}): Promise<never> {
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
  patch(resource: Resource, place: Place, kind: PatchKind, patch: unknown, options: BlindOptions): Promise<void>;
  patch<T extends KubernetesObject>(
    resource: Resource<T>,
    place: Place,
    kind: PatchKind,
    patch: unknown,
    options?: CallOptions,
  ): Promise<Stored<T>>;
  patch(
    resource: Resource,
    place: Place,
    kind: PatchKind,
    patch: unknown,
    options: CallOptions | BlindOptions = {},
  ): Promise<never> {
    return this.call('PATCH', resource, place, options, { body: patch, contentType: PATCH_TYPES[kind] });
  }

  /** Deletes exactly the object with this UID: another one of the same name answers 409. */
  async delete(
    resource: Resource,
    place: Place,
    { uid, gracePeriodSeconds }: { readonly uid: string; readonly gracePeriodSeconds?: number },
    options: CallOptions = {},
  ): Promise<void> {
    await this.call(
      'DELETE',
      resource,
      place,
      { ...options, blind: true },
      {
        contentType: 'application/json',
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid },
          ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
        },
      },
    );
  }

  /** Resolves when the watch has ended: by the server, by silence, or by `signal`. Rejects with what the server said against it. */
  async watch(resource: Resource, options: WatchOptions): Promise<void> {
    const path = pathOf(resource, options);
    const request = `WATCH ${path}`;
    if (options.signal.aborted) return;
    let refused: KubernetesError | undefined;
    const query = {
      watch: 'true',
      resourceVersion: options.resourceVersion,
      allowWatchBookmarks: 'true',
      timeoutSeconds: options.timeoutSeconds,
      fieldSelector: options.fieldSelector,
      labelSelector: options.labelSelector,
    };
    const onLine = (line: Buffer): void => {
      const event = eventOf(line);
      if (event === undefined) return;
      if (event.type === 'ERROR') {
        const { code } = event.object as unknown as { code?: number };
        refused ??= errorOfAnswer(request, code ?? 500, JSON.stringify(event.object));
      } else {
        options.onEvent(event);
      }
    };
    try {
      const { headers, dispatcher } = await this.connection.authorize(this.clock.now());
      const answer = await readLines(
        dispatcher,
        {
          method: 'GET',
          origin: this.origin,
          path: this.prefix + withQuery(path, query),
          headers: { ...headers, accept: 'application/json', 'user-agent': this.userAgent },
          signal: options.signal,
        },
        { silenceMs: WATCH_SILENCE_MS, onLine, onOpen: options.onOpen },
      );
      // 0: silence before an answer; the reflector watches again from where it was.
      if (answer.status !== 200 && answer.status !== 0) refused ??= errorOfAnswer(request, answer.status, answer.text);
    } catch (error) {
      refused ??= unreachable(request, error);
    }
    if (refused?.status === 401) this.connection.forgetCredential();
    if (refused && !options.signal.aborted) throw refused;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private async call<R>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    resource: Resource,
    place: Place,
    options: CallOptions | BlindOptions,
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
      if (answer.status < 300) return ('blind' in options ? undefined : JSON.parse(answer.text)) as R;
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
    options: CallOptions | BlindOptions,
    more: { query?: Record<string, string | number | undefined>; contentType?: string; accept?: string },
  ): Promise<Answer> {
    const { headers, dispatcher } = await this.connection.authorize(this.clock.now());
    return await exchange(
      dispatcher,
      {
        method,
        origin: this.origin,
        path: this.prefix + withQuery(path, more.query),
        headers: {
          ...headers,
          accept: more.accept ?? ('blind' in options ? METADATA_ONLY : 'application/json'),
          'user-agent': this.userAgent,
          ...(more.contentType === undefined ? {} : { 'content-type': more.contentType }),
        },
        body,
        signal: options.signal,
      },
      options.timeoutMs ?? 30_000,
    );
  }
}

const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json';

function withQuery(path: string, query: Readonly<Record<string, string | number | undefined>> = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

/** A line that is no event is left out: an API server that ends in the middle of one sends it again to the next watch. */
function eventOf(line: Buffer): WatchEvent | undefined {
  try {
    return JSON.parse(line.toString('utf8')) as WatchEvent;
  } catch {
    return undefined;
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
