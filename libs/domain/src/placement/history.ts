import type { ChargeType } from './need.ts';

/** Refusal classes of a create (see `docs/operators/refusals.md`). */
export type RefusalClass = 'STOCK_OUT' | 'VSWITCH_IP_EXHAUSTED' | 'QUOTA' | 'AUTH' | 'NOT_FOUND' | 'INVALID_REQUEST';

/** One try that failed. */
export interface PlacementFailure {
  readonly attempt: number;
  readonly specs: readonly string[];
  readonly vSwitchIds: readonly string[];
  readonly chargeType: ChargeType;
  readonly class: RefusalClass;
  readonly reason: string;
}

/** What became of the tries so far of one pod. */
export interface PlacementHistory {
  readonly nextAttempt: number;
  /** Since the last success or unparking, oldest first. */
  readonly failures: readonly PlacementFailure[];
  /** Its gate has let this one through, as its probe. */
  readonly mayPassGate: boolean;
}
