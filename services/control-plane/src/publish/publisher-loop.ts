import { Subscription, TryLater, type Checkpoints, type EventStore, type RecordedEvent } from '#libs/event-store';
import { MessagingError } from '#libs/messaging';
import { AsideItems, type Logger, type Metrics } from '#libs/observability';
import type { Clock, Random } from '#libs/runtime';
import type { RunningRole } from '../running-role.ts';
import type { PreparedClusters } from './prepared-clusters.ts';
import { LEASE_MS, SupervisedLoop } from '../supervised-loop.ts';

/** Appends come in flocks; a short wait publishes a flock in one round instead of ten. Milliseconds. */
const GATHER_MS = 20;
/**
 * In a storm a longer one: the second and third status of a pod overtake its first, and agents, brokers and we have less to do. A round of this
 * many events is a storm.
 */
const GATHER_IN_STORM_MS = 80;
const STORM_EVENTS = 40;
const BATCH = 500;
const POLL_MS = 250;

interface PublisherLoopParts<Tx> {
  readonly store: EventStore;
  readonly checkpoints: Checkpoints<Tx>;
  readonly publish: (events: readonly RecordedEvent[]) => Promise<void>;
  /** Makes topics that are missing, and fills them. */
  readonly prepareTopics: () => Promise<void>;
  /** Those whose topic could not be prepared or written are tried again. */
  readonly clusters: Pick<PreparedClusters, 'again' | 'setAside'>;
  /** A hint that there may be new events. Returns how to stop listening. */
  readonly appended: { on(listener: () => void): () => void };
  /** Names this process in leases; random at each start. */
  readonly owner: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Publishes every event at least once, in order. Of several replicas one holds the subscription. */
export function startPublisherLoop<Tx>(parts: PublisherLoopParts<Tx>): RunningRole {
  const { store, checkpoints, publish, prepareTopics, clusters, appended, owner, clock, random, logger, metrics } =
    parts;
  // A log that began anew with this process, or was lost, has no topics: they are made and filled before the next event is published.
  let topicsMayLack = true;
  let lastRound = 0;
  const aside = new AsideItems({ loop: 'publish', clock, logger, metrics });
  const subscription = new Subscription<Tx>({
    name: 'publish',
    owner,
    store,
    checkpoints,
    batchSize: BATCH,
    handler: (events) => {
      lastRound = events.length;
      return patiently(
        () => publish(events),
        () => (topicsMayLack = true),
      );
    },
    onParked: ({ streamId, error, againMs }) => aside.put(streamId, error, againMs),
    onFlowing: ({ streamId }) => aside.done(streamId),
    leaseMs: LEASE_MS,
    clock,
    random,
  });
  const loop = new SupervisedLoop({
    name: 'publish',
    clock,
    random,
    logger,
    metrics,
    idleMs: POLL_MS,
    step: async (stopping) => {
      if (topicsMayLack) {
        await prepareTopics();
        topicsMayLack = false;
      }
      await clusters.again();
      await clock.sleep(lastRound < STORM_EVENTS ? GATHER_MS : GATHER_IN_STORM_MS, stopping);
      lastRound = 0;
      return subscription.step(stopping);
    },
  });
  const stopListening = appended.on(() => loop.nudge());
  loop.start();
  return {
    trouble: () => loop.trouble(),
    setAside: () => [...aside.list(), ...clusters.setAside()],
    async stop() {
      stopListening();
      await loop.stop();
      await subscription.leave();
    },
  };
}

/** A broker that is away, or does not let us in, is no fault of the event at hand. */
async function patiently(publish: () => Promise<void>, onMissingTopic: () => void): Promise<void> {
  try {
    await publish();
  } catch (error) {
    if (error instanceof MessagingError && error.code === 'no-topic') onMissingTopic();
    if (error instanceof MessagingError && error.code !== 'too-large')
      throw new TryLater(error.message, { cause: error });
    throw error;
  }
}
