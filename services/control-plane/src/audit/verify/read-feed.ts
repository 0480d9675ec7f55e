import { topics } from '#libs/contracts';
import type { Messaging } from '#libs/messaging';
import { PublishedCopy, type PublishedEvent } from './published-copy.ts';

/** How long a broker may be away, or refuse. */
const PATIENCE_MS = 30_000;

/** Each reading joins a group of its own below this name. */
export const auditGroup = (fleet: string): string => `${fleet}.audit-verify`;

/**
 * Reads the feed from its beginning to the end that it has now. Seals are kept (in `keep`, or for as long as the copy is open), events are handed
 * on. Commits nothing, and nobody's reading is disturbed.
 */
export async function readFeed(parts: {
  readonly messaging: Messaging;
  readonly fleet: string;
  readonly keep: string | undefined;
  readonly onEvents: (events: readonly PublishedEvent[]) => Promise<void>;
  readonly onTrouble: (text: string) => void;
  readonly signal: AbortSignal;
}): Promise<PublishedCopy> {
  const { messaging, fleet, keep, onEvents, onTrouble, signal } = parts;
  const copy = await PublishedCopy.empty(keep);
  // A reader asks on for ever; whoever verifies wants to hear that the feed cannot be read.
  let waiting: NodeJS.Timeout | undefined;
  let giveUp: (error: Error) => void = () => undefined;
  const gaveUp = new Promise<never>((_, reject) => (giveUp = reject));
  gaveUp.catch(() => undefined);
  const goesOn = (): void => {
    clearTimeout(waiting);
    waiting = undefined;
  };
  // Batches of several partitions come at once; the copy takes one after another.
  let turn: Promise<void> = Promise.resolve();
  const consumer = await messaging.consume({
    topics: [topics(fleet).events],
    group: auditGroup(fleet),
    handle: ({ messages }) => {
      goesOn();
      const values = messages.flatMap(({ value }) => (value === null ? [] : [Buffer.from(value).toString('utf8')]));
      const done = turn.then(async () => onEvents(await copy.add(values)));
      turn = done.catch(() => undefined);
      return done;
    },
    onEvent: (event) => {
      if (event.kind === 'broker-back') goesOn();
      if (event.kind === 'broker-away') {
        onTrouble(`the feed cannot be read now: ${event.reason}`);
        waiting ??= setTimeout(() => giveUp(new Error(`the feed cannot be read: ${event.reason}`)), PATIENCE_MS);
      }
      if (event.kind === 'batch-failed') onTrouble(`a batch of the feed could not be taken: ${String(event.error)}`);
    },
  });
  try {
    const interrupted = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('interrupted')), { once: true }),
    );
    await Promise.race([consumer.caughtUp(), interrupted, gaveUp]);
  } catch (error) {
    await copy.close();
    throw error;
  } finally {
    goesOn();
    await consumer.stop();
  }
  return copy;
}
