import { PodStatusMessage } from '#libs/contracts';
import { finalize, isClosed, parseStreamId, type ContainerGroupState } from '#libs/domain';
import type { EventStore, RecordedEvent } from '#libs/event-store';
import { podAnnotationsOf, podEventsOf, podStatusOf } from '#libs/kubernetes';
import type { OutgoingMessage } from '#libs/messaging';
import type { AsideItem, AsideItems } from '#libs/observability';
import { allEnded } from '#libs/runtime';
import { whoseFault } from '../clusters/whose-fault.ts';
import { oneByOne } from '../streams/one-by-one.ts';
import type { ClusterVoice, Voice } from './cluster-voice.ts';
import type { KnownClusters } from './ports.ts';
import { domainEvent, stateOf } from '../streams/stored-events.ts';
import type { Reachable } from './prepared-clusters.ts';

/**
 * What a cluster's topic should hold for one stream: the complete status, or nothing more once the pod object is gone for good (unless the
 * cluster shows it: `objectIsThere`).
 */
export function podStatusRecord(
  recorded: readonly RecordedEvent[],
  { objectIsThere = false } = {},
): OutgoingMessage | undefined {
  const last = recorded.at(-1);
  const ids = last && parseStreamId(last.streamId);
  if (!last || !ids) return undefined;
  const state = stateOf(recorded);
  if (!objectIsThere && hasTombstone(state)) return { key: ids.podUid, value: null };
  const status = podStatusOf(state);
  const message: PodStatusMessage = {
    kind: 'PodStatus',
    schemaVersion: 1,
    podUid: ids.podUid,
    namespace: state.intent?.pod.namespace ?? state.stop?.namespace ?? '',
    name: state.intent?.pod.name ?? state.stop?.name ?? '',
    revision: last.version,
    ...(status === undefined ? {} : { status: status as Record<string, unknown> }),
    annotations: podAnnotationsOf(state),
    finalize: finalize(state),
    events: [...podEventsOf(recorded.map((event) => ({ ...domainEvent(event), id: event.eventId })))],
  };
  return { key: ids.podUid, value: Buffer.from(JSON.stringify(message), 'utf8') };
}

const hasTombstone = (state: ContainerGroupState): boolean => isClosed(state) && state.podObjectGone;

/** A subscription waits for us in a transaction, which PostgreSQL ends after 10 idle seconds: a broker that is away is given up before. */
export const PUBLISH_TIMEOUT_MS = 8_000;
/** Agents send one every few minutes, and it asks for what they have not written. */
const NEXT_INVENTORY_MS = 600_000;

/** What a cluster is to be told about its pods, by cluster. */
type Batches = Map<string, OutgoingMessage[]>;

interface PublishOptions {
  /** The cluster shows the pod's object: it is told the status even of a pod that is gone for good. */
  readonly objectIsThere?: boolean;
}

/** Says to clusters how their pods are. Saying it twice is harmless: agents ignore what is not newer than what they have. */
export class PodStatusPublisher {
  private readonly store: EventStore;
  private readonly voice: ClusterVoice;
  private readonly directory: KnownClusters;
  private readonly aside: AsideItems;

  constructor(parts: {
    readonly store: EventStore;
    readonly voice: ClusterVoice;
    readonly directory: KnownClusters;
    /** Streams whose status could not be said when somebody asked for it. */
    readonly aside: AsideItems;
  }) {
    this.store = parts.store;
    this.voice = parts.voice;
    this.directory = parts.directory;
    this.aside = parts.aside;
  }

  /**
   * Publishes the present status of these streams, one batch a cluster; streams of clusters that cannot be spoken to are left out, and so is one
   * that cannot be read: it is set aside until it is asked for again, by the next inventory at the latest.
   */
  async publish(streamIds: readonly string[], options: PublishOptions = {}): Promise<void> {
    const { answers, failed } = await oneByOne(await this.reachable(streamIds), (ids) => this.store.loadMany(ids));
    const unsaid = new Map(failed);
    const batches: Batches = new Map();
    for (const [streamId, recorded] of answers.flatMap((streams) => [...streams])) {
      try {
        this.add(batches, streamId, recorded, options);
        this.aside.done(streamId);
      } catch (error) {
        unsaid.set(streamId, error);
      }
    }
    for (const [streamId, error] of unsaid) this.aside.put(streamId, error, NEXT_INVENTORY_MS);
    await this.sendAll(batches);
  }

  /** The same for streams that were loaded already, all of them or none; a cluster that cannot be told is left out of `reach`, if given. */
  async publishLoaded(streams: ReadonlyMap<string, readonly RecordedEvent[]>, reach?: Reachable): Promise<void> {
    const batches: Batches = new Map();
    for (const streamId of await this.reachable([...streams.keys()]))
      this.add(batches, streamId, streams.get(streamId) ?? [], {});
    await this.sendAll(batches, reach);
  }

  setAside(): readonly AsideItem[] {
    return this.aside.list();
  }

  private add(batches: Batches, streamId: string, recorded: readonly RecordedEvent[], options: PublishOptions): void {
    const message = podStatusRecord(recorded, options);
    const clusterId = parseStreamId(streamId)?.clusterId;
    if (message === undefined || clusterId === undefined) return;
    batches.set(clusterId, [...(batches.get(clusterId) ?? []), message]);
  }

  private async sendAll(batches: Batches, reach?: Reachable): Promise<void> {
    const voice = await this.voice.to([...batches.keys()]);
    await allEnded([...batches].map(([clusterId, messages]) => this.send(voice, clusterId, messages, reach)));
  }

  private async send(
    voice: Voice,
    clusterId: string,
    messages: readonly OutgoingMessage[],
    reach: Reachable | undefined,
  ): Promise<void> {
    if (reach?.isOut(clusterId)) return;
    try {
      await voice.say(clusterId, messages, PUBLISH_TIMEOUT_MS);
    } catch (error) {
      // Unregistered meanwhile: its topic is gone, and nobody listens.
      this.directory.forget(clusterId);
      if (!(await this.directory.find(clusterId))?.live) return;
      // A mistake of ours may lie in one status of one cluster: the others are not to wait for it.
      const isOfTheCluster = ['cluster', 'unknown'].includes(whoseFault(error));
      if (!reach || !isOfTheCluster) throw error;
      reach.leaveOut(clusterId, error);
    }
  }

  private async reachable(streamIds: readonly string[]): Promise<readonly string[]> {
    const kept: string[] = [];
    for (const streamId of streamIds) {
      const ids = parseStreamId(streamId);
      if (ids && (await this.directory.find(ids.clusterId))?.live) kept.push(streamId);
    }
    return kept;
  }
}
