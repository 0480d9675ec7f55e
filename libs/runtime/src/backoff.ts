import type { Random } from './random.ts';

export interface Backoff {
  /** First bound, milliseconds. */
  readonly baseMs: number;
  /** Largest bound, milliseconds. */
  readonly capMs: number;
}

/** Full jitter: uniform between 0 and min(cap, base × 2^(attempt − 1)) milliseconds; `attempt` counts from 1. */
export function backoffMs(attempt: number, { baseMs, capMs }: Backoff, random: Random): number {
  return Math.round(random.next() * Math.min(capMs, baseMs * 2 ** Math.min(30, Math.max(0, attempt - 1))));
}
