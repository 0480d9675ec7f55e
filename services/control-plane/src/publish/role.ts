import { PostgresTransactions, Subscription, TryLater } from '#libs/event-store';
import { MessagingError } from '#libs/messaging';
import type { Parts, RunningRole } from '../parts.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import { sqlClientOf } from '../transaction.ts';
import { EventPublisher } from './event-publisher.ts';

/** Role `publish`: from events to pod statuses and CloudEvents. */
export async function startPublish(parts: Parts): Promise<RunningRole> {
  const { pool, store, clock, random, ids, logger, metrics, appended } = parts;
  // A log that began anew with this process (or was lost) has no topics of clusters: made and filled before the first event is published.
  for (const { id } of await parts.clusters.live()) await parts.topics.prepare(id);

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
    sql: sqlClientOf(pool),
    transactions: new PostgresTransactions(pool),
    handler: (events) => patiently(() => publisher.publish(events)),
    onParked: ({ streamId, version, error }) =>
      logger.error('park a stream of the publisher', { streamId, version, error }),
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
    step: (stopping) => subscription.step(stopping),
  });
  const stopListening = appended.on(() => loop.nudge());
  loop.start();
  return {
    trouble: () => loop.trouble(),
    async stop() {
      stopListening();
      await loop.stop();
      await subscription.leave();
    },
  };
}

/** A broker that is away, or does not let us in, is no fault of the event at hand. */
async function patiently(publish: () => Promise<void>): Promise<void> {
  try {
    await publish();
  } catch (error) {
    if (error instanceof MessagingError && error.code !== 'too-large')
      throw new TryLater(error.message, { cause: error });
    throw error;
  }
}
