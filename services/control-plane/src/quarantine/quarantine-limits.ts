export interface QuarantineLimits {
  /** A row that was not seen again for so long is removed. */
  readonly retentionMs: number;
  /** Rows of one cluster, and of all strangers together; the oldest give way. */
  readonly rows: number;
}

export const DEFAULT_QUARANTINE_LIMITS: QuarantineLimits = { retentionMs: 14 * 86_400_000, rows: 1_000 };
