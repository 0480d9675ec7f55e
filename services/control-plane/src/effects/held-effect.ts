import { waitedMs } from '#libs/domain';
import type { EffectQueue, EffectRow, JsonObject } from '#libs/event-store';
import { backoffMs, type Backoff, type Random } from '#libs/runtime';

/** How long a claim holds while it may be calling. Longer than a call can take, so that a claim that ran out has no call on the way. */
export const LEASE_MS = 60_000;
/**
 * How long one holds that has not sent anything yet: sending begins with a confirmation, which makes it {@link LEASE_MS}. So what a process had
 * claimed, but not begun, when it was killed waits no minute. Longer than a transaction may last (15 s).
 */
export const UNSENT_LEASE_MS = 20_000;

export const claimOf = (row: Pick<EffectRow, 'kind' | 'key' | 'claimId'>) => ({
  kind: row.kind,
  key: row.key,
  claimId: row.claimId,
});

interface ReleaseOptions {
  readonly afterMs: number;
  /** No call of this claim took effect. */
  readonly notSent: boolean;
  readonly data?: JsonObject;
  readonly refundToken?: boolean;
}

/** Gives rows back. A claim that was lost meanwhile is somebody else's work: nothing to do. */
export class Releases {
  private readonly queue: EffectQueue;
  private readonly random: Random;

  constructor(queue: EffectQueue, random: Random) {
    this.queue = queue;
    this.random = random;
  }

  async release(row: EffectRow, options: ReleaseOptions): Promise<void> {
    const { streamId, kind, key, claimId } = row;
    await this.queue.release({ streamId, kind, key, claimId, ...options });
  }

  /** Gives a row back for a pause that counts under this name. */
  async wait(
    row: EffectRow,
    name: string,
    afterMs: number,
    also: Omit<ReleaseOptions, 'afterMs' | 'notSent'> = {},
  ): Promise<void> {
    const data = { ...(also.data ?? row.data), [name]: waitedMs(row, name) + afterMs };
    await this.release(row, { ...also, afterMs, notSent: true, data });
  }

  /** The next try of a row that was claimed this often, never sooner than half the bound. */
  pause(attempts: number, backoff: Backoff): number {
    const bound = Math.min(backoff.capMs, backoff.baseMs * 2 ** Math.min(30, Math.max(0, attempts - 1)));
    return Math.round(bound / 2 + backoffMs(attempts, backoff, this.random) / 2);
  }
}

/**
 * Works on rows of one kind; `kind` is its alone. Kinds of one lane are claimed together, so that tenants take turns in it whatever their rows ask
 * for: their handlers say the same `concurrency` and `leaseMs`.
 */
export abstract class EffectHandler {
  abstract readonly kind: string;
  /** Of the lanes where its rows wait: the action of the cloud whose quota they share, or the name of a lane without quota. */
  abstract readonly action: string;
  /** Rows of one lane in work at the same time. */
  abstract readonly concurrency: number;
  /** How long a claim holds, milliseconds: {@link LEASE_MS}, or {@link UNSENT_LEASE_MS} if it is confirmed before anything is sent. */
  abstract readonly leaseMs: number;
  /**
   * Ends every row: settled with an append, or given back. Throwing gives back those that are still held, after a back-off. `settled` is told
   * each row that is done with, so that its place can be used.
   */
  abstract run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void>;
}
