import { PostgresCheckpoints, PostgresTransactions, Subscription, TryLater } from '#libs/event-store';
import { MessagingError } from '#libs/messaging';
import type { Parts, RunningRole } from '../parts.ts';
import { LEASE_MS, SupervisedLoop } from '../supervised-loop.ts';
import { sqlClientOf } from '../transaction.ts';
import { EventPublisher } from './event-publisher.ts';
import { fleetTopics } from './fleet-topics.ts';

/** Appends come in flocks; a short wait publishes a flock in one round instead of ten. Milliseconds. */
const GATHER_MS = 20;

/** Role `publish`: from events to pod statuses and CloudEvents. */
export function startPublish(parts: Parts): Promise<RunningRole> {
  const { pool, store, clock, random, ids, logger, metrics, appended } = parts;
  // A log that began anew with this process, or was lost, has no topics: they are made and filled before the next event is published.
  let topicsMayLack = true;
  const prepareTopics = async (): Promise<void> => {
    await parts.messaging.ensureTopics(fleetTopics(parts.config));
    for (const { id } of await parts.clusters.live()) await parts.topics.prepare(id);
    topicsMayLack = false;
  };

  const publisher = new EventPublisher({
    store,
    messaging: parts.messaging,
    statuses: parts.statuses,
    fleet: parts.config.fleet,
    metrics,
  });
  const subscription = new Subscription({
    name: 'publish',
    owner: ids.uuid(),
    store,
    checkpoints: new PostgresCheckpoints(sqlClientOf(pool), new PostgresTransactions(pool)),
    handler: (events) =>
      patiently(
        () => publisher.publish(events),
        () => (topicsMayLack = true),
      ),
    onParked: ({ streamId, version, error }) =>
      logger.error('park a stream of the publisher', { streamId, version, error }),
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
    idleMs: 250,
    step: async (stopping) => {
      if (topicsMayLack) await prepareTopics();
      await clock.sleep(GATHER_MS, stopping);
      return subscription.step(stopping);
    },
  });
  const stopListening = appended.on(() => loop.nudge());
  loop.start();
  return Promise.resolve({
    trouble: () => loop.trouble(),
    async stop() {
      stopListening();
      await loop.stop();
      await subscription.leave();
    },
  });
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
