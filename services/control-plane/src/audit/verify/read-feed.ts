import { topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import { PublishedCopy, type PublishedEvent } from './published-copy.ts';

/**
 * Reads the feed from its beginning to the end that it has now. Seals are kept (in `keep`, or for as long as the copy is open), events are handed
 * on. Commits nothing, and nobody's reading is disturbed.
 */
export async function readFeed(parts: {
  readonly messaging: Messaging;
  readonly fleet: string;
  /** Names this reading; unique. */
  readonly reader: string;
  readonly keep: string | undefined;
  readonly onEvents: (events: readonly PublishedEvent[]) => Promise<void>;
  readonly onTrouble: (text: string) => void;
  readonly signal: AbortSignal;
}): Promise<PublishedCopy> {
  const { messaging, fleet, reader, keep, onEvents, onTrouble, signal } = parts;
  const copy = await PublishedCopy.empty(keep);
  // Batches of several partitions come at once; the copy takes one after another.
  let turn: Promise<void> = Promise.resolve();
  const consumer = await messaging.consume({
    topics: [topics(fleet).events],
    group: `${fleet}.audit-verify.${reader}`,
    handle: ({ messages }) => {
      const values = messages.flatMap(({ value }) => (value === null ? [] : [Buffer.from(value).toString('utf8')]));
      const done = turn.then(async () => onEvents(await copy.add(values)));
      turn = done.catch(() => undefined);
      return done;
    },
    onEvent: (event) => {
      if (event.kind === 'broker-away') onTrouble(`Kafka is away: ${event.reason}`);
      if (event.kind === 'batch-failed') onTrouble(`a batch of the feed could not be taken: ${String(event.error)}`);
    },
  });
  try {
    const interrupted = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true }),
    );
    await Promise.race([consumer.caughtUp(), interrupted]);
  } catch (error) {
    await copy.close();
    throw error;
  } finally {
    await consumer.stop();
  }
  return copy;
}
