import { backoffMs, type Clock, type Random } from '#libs/runtime';
import { isExpired } from './kubernetes-error.ts';
import type { KubernetesApi, WatchEvent } from './kubernetes-api.ts';
import type { KubernetesObject, Stored } from './objects.ts';
import type { Resource } from './resources.ts';

/**
 * What became of one object. `relist` = it was missing from a complete list, after a watch that had lost its place; the last state we saw
 * may be old. `watch` = the server said so, and `object` is its last state.
 */
export type Change<T extends KubernetesObject> =
  | { readonly kind: 'added'; readonly object: Stored<T> }
  | { readonly kind: 'modified'; readonly object: Stored<T>; readonly previous: Stored<T> }
  | { readonly kind: 'deleted'; readonly object: Stored<T>; readonly by: 'watch' | 'relist' };

interface ReflectorOptions<T extends KubernetesObject> {
  readonly api: KubernetesApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly resource: Resource<T>;
  readonly namespace?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Called for every change, in order, after the cache has it. It must not throw and must not wait. */
  readonly onChange?: (change: Change<T>) => void;
  /** The API server cannot be listed or watched: how often in a row, and why. */
  readonly onError?: (error: unknown, failures: number) => void;
  /** It answers again after failures. `awayMs` = how long it did not. */
  readonly onBack?: (awayMs: number) => void;
}

/**
 * A local copy of some objects, keyed by UID, that follows the API server: list once, watch from there, go on from the last bookmark after
 * every end of a watch, list again only when the server no longer knows that place (410). Nothing is called deleted for want of an answer:
 * only a DELETED event or a complete list removes an object. `managedFields` are not kept.
 */
export class Reflector<T extends KubernetesObject> {
  private readonly options: ReflectorOptions<T>;
  private readonly objects = new Map<string, Stored<T>>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private resourceVersion: string | undefined;
  private readonly firstList = Promise.withResolvers<void>();
  private contactAt: number;
  /** In a row. */
  private failures = 0;

  constructor(options: ReflectorOptions<T>) {
    this.options = options;
    this.contactAt = options.clock.now();
  }

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.firstList.resolve();
    await this.running;
  }

  /** Resolves after the first complete list (or at stop). */
  synced(): Promise<void> {
    return this.firstList.promise;
  }

  get(uid: string): Stored<T> | undefined {
    return this.objects.get(uid);
  }

  values(): IterableIterator<Stored<T>> {
    return this.objects.values();
  }

  get size(): number {
    return this.objects.size;
  }

  private async run(): Promise<void> {
    const { clock, random, onError } = this.options;
    while (!this.stopping.signal.aborted) {
      try {
        if (this.resourceVersion === undefined) {
          await this.relist();
          this.answered();
        }
        await this.watch();
        this.contactAt = clock.now();
      } catch (error) {
        if (this.stopping.signal.aborted) return;
        if (isExpired(error)) {
          // The place in the log is lost, not the server: list at once, and compare.
          this.resourceVersion = undefined;
          continue;
        }
        this.failures += 1;
        onError?.(error, this.failures);
        await clock.sleep(200 + backoffMs(this.failures, { baseMs: 500, capMs: 10_000 }, random), this.stopping.signal);
      }
    }
  }

  /** A list was complete, or a watch was taken: only then is it back. */
  private answered(): void {
    const now = this.options.clock.now();
    if (this.failures > 0) this.options.onBack?.(now - this.contactAt);
    this.failures = 0;
    this.contactAt = now;
  }

  private async relist(): Promise<void> {
    const { api, resource, namespace, fieldSelector, labelSelector } = this.options;
    const list = await api.list(resource, {
      namespace,
      fieldSelector,
      labelSelector,
      priority: 'high',
      signal: this.stopping.signal,
    });
    const found = new Set(list.items.map((item) => item.metadata.uid));
    // Deletions first: a name that was taken over is free before its successor appears.
    for (const [uid, object] of [...this.objects]) {
      if (!found.has(uid)) this.remove(object, 'relist');
    }
    for (const item of list.items) this.put(item);
    this.resourceVersion = list.resourceVersion;
    this.firstList.resolve();
  }

  private async watch(): Promise<void> {
    const { api, resource, namespace, fieldSelector, labelSelector, random, clock } = this.options;
    const begun = clock.now();
    let heard = false;
    await api.watch(resource, {
      namespace,
      fieldSelector,
      labelSelector,
      resourceVersion: this.resourceVersion!,
      timeoutSeconds: 300 + Math.round(random.next() * 300),
      signal: this.stopping.signal,
      onOpen: () => this.answered(),
      onEvent: (event) => {
        heard = true;
        this.contactAt = clock.now();
        this.apply(event);
      },
    });
    // A watch that a broken proxy ends at once must not become a busy loop.
    if (!heard && clock.now() - begun < 1_000) await clock.sleep(1_000, this.stopping.signal);
  }

  private apply({ type, object }: WatchEvent): void {
    const version = object.metadata?.resourceVersion;
    if (version !== undefined) this.resourceVersion = version;
    if (type === 'ADDED' || type === 'MODIFIED') this.put(object as Stored<T>);
    else if (type === 'DELETED') this.remove(object as Stored<T>, 'watch');
  }

  private put(object: Stored<T>): void {
    const previous = this.objects.get(object.metadata.uid);
    if (previous?.metadata.resourceVersion === object.metadata.resourceVersion) return;
    // Half of an object's size, and of no use to anybody here.
    delete object.metadata.managedFields;
    this.objects.set(object.metadata.uid, object);
    this.options.onChange?.(previous ? { kind: 'modified', object, previous } : { kind: 'added', object });
  }

  private remove(object: Stored<T>, by: 'watch' | 'relist'): void {
    if (this.objects.delete(object.metadata.uid)) this.options.onChange?.({ kind: 'deleted', object, by });
  }
}
