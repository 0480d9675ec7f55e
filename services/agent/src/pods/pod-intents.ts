import { cutText } from '#libs/contracts';
import { EnvelopeTooLarge } from '#libs/messaging';
import { KubernetesError, type Change, type PodObject, type Reflector, type Stored } from '#libs/kubernetes';
import { errorMessage, type AsideItems, type Logger } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import { NotSent, type IntentPublisher } from '../publish/intent-publisher.ts';
import type { Missing } from '../resolve/contents.ts';
import type { Resolver } from '../resolve/resolver.ts';
import { NO_DEBUG_CONTAINERS, wantsDebugContainers } from '../status/debug-containers.ts';
import { isFinal } from '../status/final-status.ts';
import { isTrouble } from '../trouble.ts';
import { WorkQueue } from '../work-queue.ts';
import { deletionOf, disruptionOf, nextIntent, type PodRecord } from './next-intent.ts';
import type { PodEvents } from '../events/pod-events.ts';

export interface PodIntentsOptions {
  readonly pods: Pick<Reflector<PodObject>, 'get' | 'size'>;
  readonly resolver: Resolver;
  readonly publisher: IntentPublisher;
  readonly events: PodEvents;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Pods of which nothing can be said. */
  readonly aside: AsideItems;
}

/** Pods resolved and sent at the same time; this bounds memory when the broker is away. */
const CONCURRENCY = 64;
/** A pod that waits for an object looks again this often: quickly at first, then every few seconds. */
const WAIT_MS = [500, 1_000, 1_000, 2_000, 3_000, 5_000] as const;
/** Gone pods whose StopPod could not be sent; beyond this the oldest are left to the inventory. */
const MAX_GONE = 50_000;

/**
 * Turns what happens to pods into intents. The watch only marks a pod; what is sent is decided from the newest state when its turn comes, so a
 * pod deleted while the broker was away sends its stop alone. At start every live pod is sent once: the control plane drops what it has.
 */
export class PodIntents {
  private readonly options: PodIntentsOptions;
  private readonly records = new Map<string, PodRecord>();
  private readonly waits = new Map<string, number>();
  private readonly queue: WorkQueue;

  constructor(options: PodIntentsOptions) {
    this.options = options;
    this.queue = new WorkQueue({
      clock: options.clock,
      random: options.random,
      concurrency: CONCURRENCY,
      // After an hour without a broker there may be thousands; a pod that comes now does not stand behind them.
      youngestToo: true,
      work: (uid) => this.work(uid),
      aside: options.aside,
      isTrouble,
      onError: (uid, error, failures) => {
        if (error instanceof NotSent) return;
        const record = this.records.get(uid);
        if (record)
          record.waitingFor =
            error instanceof KubernetesError
              ? 'the API server: what the pod names cannot be read'
              : cutText(`the agent, which cannot send it: ${errorMessage(error)}`, 500);
        if (isTrouble(error) && (failures === 1 || failures % 10 === 0)) {
          options.logger.warn('an intent was not sent; trying on', { podUid: uid, error, failures });
        }
      },
    });
  }

  /** Begins to send; before, changes are only remembered. */
  resume(): void {
    this.queue.resume();
  }

  pause(): void {
    this.queue.pause();
  }

  async stop(): Promise<void> {
    await this.queue.stop();
  }

  onChange(change: Change<PodObject>): void {
    const { uid } = change.object.metadata;
    const record = this.recordOf(change.object);
    if (change.kind === 'deleted') {
      // Only what the watch itself reports was seen; what a later list lacks may have gone in any way.
      record.gone = change.by === 'watch' ? 'ObjectGone' : 'Absent';
      // Pod garbage collection removes at once: its reason is in the last state only.
      record.goneBy = disruptionOf(change.object);
      this.boundGone();
    }
    if (nextIntent(record, this.options.pods.get(uid))) this.queue.add(uid);
  }

  /** Sends what is true of the pod once more; `fresh` reads come with it. */
  again(pod: Stored<PodObject>): void {
    const record = this.recordOf(pod);
    record.again = true;
    this.queue.add(pod.metadata.uid);
  }

  /** Says that no pod with this UID exists; `name` as far as it is known. */
  absent(uid: string, name: { readonly namespace: string; readonly name: string } | undefined): void {
    const record = this.records.get(uid) ?? {
      uid,
      namespace: name?.namespace ?? 'unknown',
      name: name?.name ?? 'unknown',
      sent: false,
      again: false,
    };
    record.gone ??= 'Absent';
    this.records.set(uid, record);
    this.queue.add(uid);
  }

  /** Why nothing was sent yet for a pod that should run; absent = sent (its stop too, which may have been lost), or nothing to send. */
  waitingFor(pod: Stored<PodObject>): string | undefined {
    const record = this.records.get(pod.metadata.uid);
    if (record?.sent || record?.sentStop || isFinal(pod.status?.phase)) return undefined;
    return record?.waitingFor ?? 'its turn';
  }

  nameOf(uid: string): { readonly namespace: string; readonly name: string } | undefined {
    return this.records.get(uid);
  }

  /** Numbers for metrics and health. */
  counts(): { readonly queued: number; readonly waiting: number } {
    return { queued: this.queue.size, waiting: this.waits.size };
  }

  private async work(uid: string): Promise<number | void> {
    const record = this.records.get(uid);
    if (!record) return;
    const pod = this.options.pods.get(uid);
    const next = nextIntent(record, pod);
    if (!next) return;
    if (next.kind === 'stop') {
      this.waits.delete(uid);
      await this.options.publisher.send(next.body);
      record.again = false;
      if (pod) record.sentStop = deletionOf(pod);
      else if (!this.options.pods.get(uid)) this.forget(uid);
      return;
    }
    return await this.run(record, pod!);
  }

  private async run(record: PodRecord, pod: Stored<PodObject>): Promise<number | void> {
    const { resolver, publisher, events } = this.options;
    const { uid } = record;
    const waited = this.waits.get(uid) ?? 0;
    const resolution = await resolver.resolve(pod, record.again || waited > 0);
    for (const missing of resolution.missing) {
      if (!isNoise(missing, waited)) events.say(pod, 'Warning', missing.reason, missing.message);
    }
    if (wantsDebugContainers(pod)) events.say(pod, 'Warning', 'DebugContainersNotSupported', NO_DEBUG_CONTAINERS);
    if (resolution.kind === 'waiting') {
      const mandatory = resolution.missing.filter((m) => m.mandatory);
      record.waitingFor = cutText(mandatory.map((m) => m.message).join('; '), 500);
      this.waits.set(uid, waited + 1);
      return WAIT_MS[Math.min(waited, WAIT_MS.length - 1)]!;
    }
    this.waits.delete(uid);
    try {
      await publisher.send(resolution.body, resolution.sealed);
    } catch (error) {
      if (!(error instanceof EnvelopeTooLarge)) throw error;
      record.waitingFor = error.message;
      // It is not tried again by itself: only a change of the pod, or a command, can make it smaller.
      record.sent = false;
      record.again = false;
      events.say(pod, 'Warning', 'PodTooLarge', error.message);
      return;
    }
    record.sent = true;
    record.again = false;
    record.waitingFor = undefined;
    record.sentGeneration = pod.metadata.generation;
    // The pod may have changed while its intent was on the way.
    const now = this.options.pods.get(uid);
    if (nextIntent(record, now)) return 0;
  }

  private recordOf(pod: Stored<PodObject>): PodRecord {
    const { uid, namespace, name } = pod.metadata;
    let record = this.records.get(uid);
    if (!record) {
      record = { uid, namespace, name, sent: false, again: false };
      this.records.set(uid, record);
    }
    return record;
  }

  private forget(uid: string): void {
    this.records.delete(uid);
    this.waits.delete(uid);
    this.options.events.forget(uid);
  }

  private boundGone(): void {
    let gone = this.records.size - this.options.pods.size;
    if (gone <= MAX_GONE) return;
    for (const [uid, record] of this.records) {
      if (gone <= MAX_GONE) return;
      if (!record.gone) continue;
      this.queue.drop(uid);
      this.forget(uid);
      gone -= 1;
    }
  }
}

/** Every new namespace lacks this ConfigMap for its first moments. */
function isNoise(missing: Missing, waited: number): boolean {
  return (
    waited < 3 && missing.reason === 'MandatoryConfigMapNotFound' && missing.message.includes(' kube-root-ca.crt ')
  );
}
