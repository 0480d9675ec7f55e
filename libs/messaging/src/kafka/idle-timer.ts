import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  throttleCheckTimeoutId: unknown;
}

/**
 * kafkajs 2.2.4 arms a timer with a negative delay on every connection whenever nothing waits to be sent (its issues 1704 and 1751). Node 24
 * warns about it once and fires it after 1 ms, and the timer arms itself again: several hundred wake-ups a second for each idle connection.
 * With nothing pending there is nothing to check: the queue is checked anyway when a request is pushed and when an answer comes.
 *
 * Touches one method of one version and leaves everything else, and every other version, alone. Returns whether it did.
 */
export function quietIdleTimer(): boolean {
  const require = createRequire(import.meta.url);
  try {
    if ((require('kafkajs/package.json') as { version: string }).version !== '2.2.4') return false;
    const { prototype } = require('kafkajs/src/network/requestQueue/index.js') as {
      prototype: { scheduleCheckPendingRequests: ((this: RequestQueue) => void) & { quiet?: true } };
    };
    const original = prototype.scheduleCheckPendingRequests;
    if (original.quiet) return true;
    if (!String(original).includes('this.throttledUntil - Date.now()')) return false;
    const replacement: typeof original = function (this: RequestQueue): void {
      if (this.pending.length > 0) original.call(this);
    };
    replacement.quiet = true;
    prototype.scheduleCheckPendingRequests = replacement;
    return true;
  } catch {
    // Another layout of the package: then the timer only costs some processor time.
    return false;
  }
}
