import type { Metrics } from '#libs/observability';

export function observeMetrics(metrics: Metrics) {
  return {
    sweepSeconds: metrics.histogram('eci_fleet_observe_sweep_seconds', 'Time of one complete sweep for changes'),
    inventorySeconds: metrics.histogram('eci_fleet_observe_inventory_seconds', 'Time of one complete inventory'),
    events: metrics.counter('eci_fleet_observe_events_total', 'Events that observations added'),
    gone: metrics.counter('eci_fleet_observe_gone_total', 'Groups that vanished without our delete'),
    frozen: metrics.gauge(
      'eci_fleet_observe_frozen',
      '1 while lists are empty that should hold groups, and nothing is concluded from them',
      ['account', 'region'],
    ),
    orphans: metrics.gauge('eci_fleet_orphans', 'Open groups with our tag and without a stream', ['account', 'region']),
    twins: metrics.counter('eci_fleet_observe_twins_total', 'Open groups that were not their stream’s current one'),
  };
}
export type ObserveMetrics = ReturnType<typeof observeMetrics>;
