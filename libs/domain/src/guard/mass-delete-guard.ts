export interface MassDeleteLimits {
  /** Part of a cluster's groups that have not ended, 0–100. */
  readonly percent: number;
  /** So many are let through whatever the percentage says. */
  readonly count: number;
  /** Within so much time, milliseconds. */
  readonly windowMs: number;
}

export const DEFAULT_MASS_DELETE_LIMITS: MassDeleteLimits = { percent: 20, count: 50, windowMs: 300_000 };

interface GuardQuestion {
  /** Groups of the cluster that have not ended, as many as there were at any time of the window. */
  readonly population: number;
  /** Counted stops of other pods that were let through within the window. */
  readonly passed: number;
  /** Counted stops that come together now. */
  readonly asked: number;
  /** The guard fired before, and no operator has decided since. */
  readonly holding: boolean;
}

interface GuardAnswer {
  readonly verdict: 'through' | 'hold';
  /** It begins to hold with this answer. */
  readonly fires: boolean;
  /** So many counted stops may pass within a window. */
  readonly allowance: number;
}

/** So many counted stops may pass within a window. */
export function allowanceOf(population: number, { percent, count }: MassDeleteLimits): number {
  return Math.max(count, Math.floor((population * percent) / 100));
}

/**
 * What becomes of counted stops of one cluster. Those that come together share one fate: if all of them would exceed the allowance, none passes.
 * Once it holds, everything counted is held until an operator decides.
 */
export function guardStops(question: GuardQuestion, limits: MassDeleteLimits): GuardAnswer {
  const { population, passed, asked, holding } = question;
  const allowance = allowanceOf(population, limits);
  if (holding) return { verdict: 'hold', fires: false, allowance };
  const exceeds = asked > 0 && passed + asked > allowance;
  return { verdict: exceeds ? 'hold' : 'through', fires: exceeds, allowance };
}
