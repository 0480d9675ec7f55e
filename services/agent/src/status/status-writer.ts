import type { PodStatusMessage } from '#libs/contracts';
import {
  KubernetesError,
  resources,
  writeEvent,
  type Change,
  type KubernetesApi,
  type PodObject,
  type Reflector,
  type Stored,
} from '#libs/kubernetes';
import type { AsideItems, Logger, Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { EventPace } from '../events/event-pace.ts';
import { Outage } from '../outage.ts';
import { isTrouble } from '../trouble.ts';
import { WorkQueue } from '../work-queue.ts';
import { owesDebugAnswer } from './debug-containers.ts';
import { finalStatus, isFinal, withEnd } from './final-status.ts';
import { isProgress, ProgressGate } from './progress-gate.ts';
import type { StatusBook } from './status-book.ts';
import { readinessLost, statusPatch } from './status-patch.ts';

interface StatusWriterOptions {
  readonly api: KubernetesApi;
  readonly book: StatusBook;
  readonly pods: Pick<Reflector<PodObject>, 'get'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly nodeName: string;
  /** Pods whose status cannot be written. */
  readonly aside: AsideItems;
  /** Absent: events are written as fast as they come. */
  readonly eventPace?: Pick<EventPace, 'turn'> | undefined;
}

const CONCURRENCY = 48;
const EVENT_CONCURRENCY = 4;
/** The API server keeps Events for an hour; writing older ones again would bring the dead back. */
const EVENT_LIFE_MS = 55 * 60_000;
const REFUSED_RETRY_MS = 300_000;
/** A pod whose readiness others keep taking away is not fought over faster than this. */
const REPAIR_MS = 10_000;

/**
 * Writes what the control plane says of each pod: status with labels and annotations in one patch, then, when the object carries a
 * deletionTimestamp and the control plane says so, its removal, which no object meets without a final phase; events at their own pace. The newest status wins and is repeated until it is
 * written; pods that never had one go first, mere progress last. This is the only place that deletes a pod object.
 */
export class StatusWriter {
  private readonly options: StatusWriterOptions;
  private readonly queue: WorkQueue;
  private readonly events: WorkQueue;
  private readonly toldEvents = new Map<string, Map<string, number>>();
  private readonly repairedAt = new Map<string, number>();
  private readonly refused = new Map<string, number>();
  /** Objects as the API server answered our last write, until the watch shows as much. */
  private readonly answered = new Map<string, Stored<PodObject>>();
  private readonly progress: ProgressGate;
  private readonly outage: Outage;

  constructor(options: StatusWriterOptions) {
    this.options = options;
    const { clock, random, logger, aside } = options;
    this.progress = new ProgressGate(clock);
    this.outage = new Outage(clock, random);
    const said = (what: string, ofAll: boolean) => (podUid: string, error: unknown, failures: number) => {
      if ((ofAll || isTrouble(error)) && (failures === 1 || failures % 10 === 0))
        logger.warn(`${what} not written; trying on`, { podUid, error, failures });
    };
    this.queue = new WorkQueue({
      clock,
      random,
      concurrency: CONCURRENCY,
      work: (uid) => this.write(uid),
      onError: said('the status of a pod was', false),
      aside,
      isTrouble,
    });
    this.events = new WorkQueue({
      clock,
      random,
      concurrency: EVENT_CONCURRENCY,
      work: (uid) => this.writeEvents(uid),
      onError: said('the events of a pod were', true),
    });
  }

  resume(): void {
    this.queue.resume();
    this.events.resume();
  }

  pause(): void {
    this.queue.pause();
    this.events.pause();
  }

  async stop(): Promise<void> {
    await Promise.all([this.queue.stop(), this.events.stop()]);
  }

  /** Pods whose status is still to be written. */
  get backlog(): number {
    return this.queue.size;
  }

  /** `proven`: the control plane has said it; else it counts until only what is proven counts. */
  onMessage(message: PodStatusMessage, proven = true): void {
    const { book } = this.options;
    if (!book.accept(message, proven)) return;
    const { podUid } = message;
    if (book.due(podUid) || message.finalize) this.look(podUid);
    // It says the same as the one that was written, and perhaps tells more of the story.
    else this.events.add(podUid);
  }

  onTombstone(podUid: string): void {
    this.options.book.forget(podUid);
    this.forget(podUid);
  }

  /** Something that nobody has to believe was said of the pod. */
  onRefused(podUid: string): void {
    this.options.book.overlay(podUid);
  }

  /** Only what is proven counts from now on; returns how many statuses were not, and are forgotten. */
  distrust(): number {
    return this.options.book.distrust();
  }

  onChange(change: Change<PodObject>): void {
    const { uid } = change.object.metadata;
    if (change.kind === 'deleted') {
      this.forget(uid);
      return;
    }
    const answered = this.answered.get(uid);
    if (answered && !isOlder(change.object, answered)) this.answered.delete(uid);
    const message = this.options.book.newest(uid);
    if (!message) return;
    const pod = this.seen(uid) ?? change.object;
    if (readinessLost(pod, message) && this.options.book.written(uid) !== undefined) {
      const now = this.options.clock.now();
      if (now - (this.repairedAt.get(uid) ?? 0) >= REPAIR_MS) {
        this.repairedAt.set(uid, now);
        this.options.book.rewrite(uid);
      }
    }
    if (message.status && this.options.book.written(uid) !== undefined && owesDebugAnswer(pod)) {
      this.options.book.rewrite(uid);
    }
    if (this.options.book.due(uid) || this.removable(pod, message)) this.look(uid);
  }

  /** Writes every status once more: while the node was not ready, Kubernetes set its pods to not ready, and nobody sets them back. */
  rewriteAll(): void {
    for (const uid of this.options.book.uids()) {
      if (!this.options.pods.get(uid)) continue;
      this.options.book.rewrite(uid);
      this.look(uid);
    }
  }

  /**
   * Takes note, without a request, of every status that the API server shows already. After a start that is nearly all of them; an inventory
   * that left before would ask for all of them once more.
   */
  compare(): void {
    const { book } = this.options;
    for (const uid of book.uids()) {
      try {
        const due = book.due(uid);
        const pod = this.seen(uid);
        if (due && pod && !book.mustRewrite(uid) && !statusPatch(pod, due)) book.wrote(uid, due.revision);
      } catch {
        // Its own turn in the queue says why, and keeps nobody else waiting.
        this.look(uid);
      }
    }
  }

  private look(uid: string): void {
    this.queue.add(uid, this.options.book.written(uid) === undefined);
  }

  private forget(uid: string): void {
    this.toldEvents.delete(uid);
    this.repairedAt.delete(uid);
    this.refused.delete(uid);
    this.answered.delete(uid);
    this.progress.forget(uid);
  }

  /** The newest that the API server has said of the pod. The watch may not show our last write yet, and what is compared with it would be wrong. */
  private seen(uid: string): Stored<PodObject> | undefined {
    const watched = this.options.pods.get(uid);
    const answered = this.answered.get(uid);
    return watched && answered && isOlder(watched, answered) ? answered : watched;
  }

  /** Every request goes through here: while the API server is away, `outage` lets only a probe through now and then. */
  private async asking<T>(request: () => Promise<T>): Promise<T> {
    try {
      const answer = await request();
      this.outage.found();
      return answer;
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 0) this.outage.lost();
      else this.outage.found();
      throw error;
    }
  }

  private async write(uid: string): Promise<number | undefined> {
    const { book } = this.options;
    const pod = this.seen(uid);
    const newest = book.newest(uid);
    // Not here yet, or gone: the watch brings it back to the queue.
    if (!pod || !newest) return undefined;
    let retryMs: number | undefined;
    let hasEnd = false;
    const news = book.due(uid);
    const due = news && withEnd(pod, news, this.options.clock.now());
    if (due) {
      this.events.add(uid);
      const patch = statusPatch(pod, due, book.mustRewrite(uid));
      if (patch) {
        // What is to be written is decided anew after every wait.
        const waitMs = this.progressWaitMs(pod, due) || this.outage.waitMs();
        if (waitMs > 0) return waitMs;
      }
      const outcome = patch ? await this.patch(pod, due, patch) : 'unchanged';
      this.count(outcome);
      if (outcome === 'gone') return undefined;
      if (outcome === 'refused') retryMs = REFUSED_RETRY_MS;
      else book.wrote(uid, due.revision);
      hasEnd = outcome !== 'refused' && isFinal(due.status?.phase as string | undefined);
    }
    // The object is looked at again: it may have got its deletionTimestamp since.
    const now = this.seen(uid);
    const message = book.newest(uid);
    if (now && message && this.removable(now, message)) {
      const waitMs = this.outage.waitMs();
      if (waitMs > 0) return waitMs;
      if (!hasEnd && !isFinal(now.status?.phase) && (await this.end(now, message)) === 'gone') return undefined;
      await this.remove(now);
    }
    // A newer one may have come meanwhile.
    return retryMs ?? (book.due(uid) ? 0 : undefined);
  }

  private progressWaitMs(pod: Stored<PodObject>, due: PodStatusMessage): number {
    const { uid } = pod.metadata;
    if (!this.options.book.mustRewrite(uid) && isProgress(pod, due)) return this.progress.waitMs(uid);
    this.progress.forget(uid);
    return 0;
  }

  private removable(pod: PodObject, message: PodStatusMessage): boolean {
    return message.finalize && pod.metadata.deletionTimestamp !== undefined;
  }

  private async patch(
    pod: Stored<PodObject>,
    message: PodStatusMessage,
    patch: Record<string, unknown>,
  ): Promise<'written' | 'gone' | 'refused'> {
    const { api, book, logger } = this.options;
    const { uid, namespace, name } = pod.metadata;
    const priority = book.written(uid) === undefined ? 'high' : 'normal';
    const place = { namespace, name, subresource: 'status' };
    try {
      const answer = await this.asking(() => api.patch(resources.pods, place, 'strategic', patch, { priority }));
      if (this.options.pods.get(uid)) this.answered.set(uid, answer);
      this.refused.delete(uid);
      return 'written';
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      // 404: gone. 409: another pod has the name (the patch has no other precondition). The watch will say so.
      if (error.notFound || error.conflict) return 'gone';
      if (error.status !== 422 && error.status !== 400) {
        this.count('failed');
        throw error;
      }
      if (this.refused.get(uid) !== message.revision) {
        this.refused.set(uid, message.revision);
        logger.error('the API server refuses the status of a pod', { podUid: uid, revision: message.revision, error });
      }
      return 'refused';
    }
  }

  /**
   * Gives the pod a final phase, on which finalizers, Jobs and whoever watches wait. What the API server refuses of the control plane's words it
   * takes of its own: the status that it has, ended.
   */
  private async end(pod: Stored<PodObject>, message: PodStatusMessage): Promise<'gone' | 'ended'> {
    const now = this.options.clock.now();
    const own = { ...message, status: finalStatus(pod, pod.status ?? {}, now) };
    for (const ending of [withEnd(pod, message, now), own]) {
      const patch = statusPatch(pod, ending, true);
      const outcome = patch ? await this.patch(pod, ending, patch) : 'unchanged';
      this.count(outcome);
      if (outcome === 'gone') return 'gone';
      if (outcome !== 'refused') return 'ended';
    }
    return 'ended';
  }

  private async remove(pod: Stored<PodObject>): Promise<void> {
    const { api, logger } = this.options;
    const { uid, namespace, name } = pod.metadata;
    try {
      await this.asking(() =>
        api.delete(resources.pods, { namespace, name }, { uid, gracePeriodSeconds: 0 }, { priority: 'high' }),
      );
      this.count('removed');
      logger.debug('removed a pod object', { podUid: uid });
    } catch (error) {
      if (error instanceof KubernetesError && (error.notFound || error.conflict)) return;
      throw error;
    }
  }

  private async writeEvents(uid: string): Promise<number | undefined> {
    const { api, book, clock, nodeName, pods, eventPace } = this.options;
    const message = book.newest(uid);
    if (!message || !pods.get(uid)) return undefined;
    const told = this.toldEvents.get(uid) ?? new Map<string, number>();
    this.toldEvents.set(uid, told);
    for (const event of message.events) {
      const count = event.count ?? 1;
      if ((told.get(event.id) ?? 0) >= count || clock.now() - Date.parse(event.at) > EVENT_LIFE_MS) continue;
      await eventPace?.turn();
      const waitMs = this.outage.waitMs();
      if (waitMs > 0) return waitMs;
      const about = { apiVersion: 'v1', kind: 'Pod', namespace: message.namespace, name: message.name, uid };
      const outcome = await this.asking(() =>
        writeEvent(api, about, event, { name: 'eci-fleet', host: nodeName }, { priority: 'low' }),
      );
      if (outcome === 'gone') return undefined;
      told.set(event.id, count);
    }
    book.told(message);
    return undefined;
  }

  private count(outcome: 'written' | 'unchanged' | 'gone' | 'refused' | 'failed' | 'removed'): void {
    this.options.metrics
      .counter('eci_fleet_agent_pod_status_total', 'Pod statuses by what became of them', ['outcome'])
      .inc({ outcome });
  }
}

/** By resource version, which counts up for the objects of one kind. */
function isOlder(a: Stored<PodObject>, b: Stored<PodObject>): boolean {
  const [x, y] = [a.metadata.resourceVersion, b.metadata.resourceVersion];
  return x.length === y.length ? x < y : x.length < y.length;
}
