export type ChargeType = 'on-demand' | 'spot';

/** A vSwitch that a pod may use. The zone is known only after a group has landed there, or when the account names it. */
interface AllowedVSwitch {
  readonly vSwitchId: string;
  readonly zone?: string;
}

export interface RankedVSwitch extends AllowedVSwitch {
  /** Why it stands where it stands; shown to people. */
  readonly reason: string;
}

/** What placement has to know of a pod; made once from the pod and the profile in force. */
export interface PlacementNeed {
  readonly accountId: string;
  readonly region: string;
  /** In the profile's or the annotation's order; 1–10. */
  readonly vSwitches: readonly AllowedVSwitch[];
  /** `VSwitchOrdered` asks that our policy keeps the given order. */
  readonly scheduleStrategy: 'VSwitchOrdered' | 'VSwitchRandom' | 'default';
  /** Sizes (`2-4Gi`) or ECS types, in order of preference; at least one. One is tried per attempt. */
  readonly specs: readonly string[];
  readonly chargeType: ChargeType;
  /** With spot: use on-demand when spot is not to be had. */
  readonly spotFallback: boolean;
  readonly failStrategy: 'fail-back' | 'fail-fast';
  /** Larger goes first among the pods of one cluster. */
  readonly priority: number;
}
