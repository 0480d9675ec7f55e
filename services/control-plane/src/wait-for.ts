import { errorMessage, type Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';

const RETRY_MS = 1_000;
const SAY_EVERY_MS = 60_000;

interface Waiting {
  /** Whom we wait for, as people know it. */
  readonly what: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Whether time may heal the error; another one ends the wait. */
  readonly passing: (error: unknown) => boolean;
}

/** The wait was ended because the process is asked to stop. */
export class StoppedWaiting extends Error {
  override readonly name = 'StoppedWaiting';
}

/** Tries until it works; says so at the first failure and once a minute. Rejects with an error that time does not heal. */
export async function waitFor<T>(
  attempt: () => Promise<T>,
  { what, clock, logger, signal, passing }: Waiting,
): Promise<T> {
  const since = clock.now();
  let said = -Infinity;
  for (;;) {
    if (signal.aborted) throw new StoppedWaiting(`asked to stop while waiting for ${what}`);
    try {
      const result = await attempt();
      if (said !== -Infinity)
        logger.info(`${what} answers`, { waitedSeconds: Math.round((clock.now() - since) / 1000) });
      return result;
    } catch (error) {
      if (!passing(error)) throw error;
      if (clock.now() - said >= SAY_EVERY_MS) {
        said = clock.now();
        logger.warn(`wait for ${what}`, {
          waitedSeconds: Math.round((said - since) / 1000),
          reason: errorMessage(error),
        });
      }
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
