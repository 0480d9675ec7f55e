import { PodStatusMessage, topics } from '#libs/contracts';
import { finalize, isClosed, parseStreamId, type ContainerGroupState } from '#libs/domain';
import type { EventStore, RecordedEvent } from '#libs/event-store';
import { podAnnotationsOf, podEventsOf, podStatusOf } from '#libs/kubernetes';
import type { Messaging, OutgoingMessage } from '#libs/messaging';
import type { KnownClusters } from './ports.ts';
import { domainEvent, stateOf } from '../streams/stored-events.ts';

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

/** Says to clusters how their pods are. Saying it twice is harmless: agents ignore what is not newer than what they have. */
export class PodStatusPublisher {
  private readonly store: EventStore;
  private readonly messaging: Messaging;
  private readonly directory: KnownClusters;
  private readonly fleet: string;

  constructor(parts: {
    readonly store: EventStore;
    readonly messaging: Messaging;
    readonly directory: KnownClusters;
    readonly fleet: string;
  }) {
    this.store = parts.store;
    this.messaging = parts.messaging;
    this.directory = parts.directory;
    this.fleet = parts.fleet;
  }

  /** Publishes the present status of these streams, one batch a cluster; streams of clusters that cannot be spoken to are left out. */
  async publish(streamIds: readonly string[], options: { readonly objectIsThere?: boolean } = {}): Promise<void> {
    await this.publishLoaded(await this.store.loadMany(await this.reachable(streamIds)), options);
  }

  /** The same for streams that were loaded already. */
  async publishLoaded(
    streams: ReadonlyMap<string, readonly RecordedEvent[]>,
    options: { readonly objectIsThere?: boolean } = {},
  ): Promise<void> {
    const batches = new Map<string, OutgoingMessage[]>();
    for (const streamId of await this.reachable([...streams.keys()])) {
      const message = podStatusRecord(streams.get(streamId) ?? [], options);
      const clusterId = parseStreamId(streamId)?.clusterId;
      if (message === undefined || clusterId === undefined) continue;
      batches.set(clusterId, [...(batches.get(clusterId) ?? []), message]);
    }
    await Promise.all([...batches].map(([clusterId, messages]) => this.send(clusterId, messages)));
  }

  private async send(clusterId: string, messages: readonly OutgoingMessage[]): Promise<void> {
    try {
      await this.messaging.publish(topics(this.fleet).cluster(clusterId), messages, PUBLISH_TIMEOUT_MS);
    } catch (error) {
      // Unregistered meanwhile: its topic is gone, and nobody listens.
      this.directory.forget(clusterId);
      if (!(await this.directory.find(clusterId))?.live) return;
      throw error;
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
