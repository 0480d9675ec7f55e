import type { Metrics } from '#libs/observability';

export function effectMetrics(metrics: Metrics) {
  return {
    inFlight: metrics.gauge('eci_fleet_worker_effects_in_flight', 'Effects that this process works on', ['kind']),
    claimed: metrics.counter('eci_fleet_effects_claimed_total', 'Effects claimed by kind', ['kind']),
    failed: metrics.counter('eci_fleet_effects_failed_total', 'Effects given back because working on them failed', [
      'kind',
    ]),
    lostClaims: metrics.counter(
      'eci_fleet_effects_lost_claims_total',
      'Outcomes that came after their claim was lost',
      ['kind'],
    ),
    throttled: metrics.counter('eci_fleet_lane_throttled_total', 'Answers by which the cloud throttled us', ['action']),
    acceptedToSent: metrics.histogram(
      'eci_fleet_accepted_to_sent_seconds',
      'From the acceptance of an intent to its first create on the wire',
      [],
      [0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.25, 0.5, 1, 5, 30, 120],
    ),
  };
}
export type EffectMetrics = ReturnType<typeof effectMetrics>;
