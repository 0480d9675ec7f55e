/** Messages of one batch unless a consumer says otherwise. */
export const DEFAULT_MAX_BATCH = 500;

/** Between a refused batch and its next try, per partition, milliseconds. */
export const RETRY_BACKOFF = { baseMs: 200, capMs: 10_000 };
