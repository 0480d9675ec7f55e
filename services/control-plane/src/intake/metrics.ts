import type { Metrics } from '#libs/observability';

export function intakeMetrics(metrics: Metrics) {
  return {
    messages: metrics.counter('eci_fleet_intake_messages_total', 'Messages of agents that have been handled, by kind', [
      'kind',
    ]),
    quarantined: metrics.counter(
      'eci_fleet_intake_quarantined_total',
      'Messages that could not be understood or applied',
    ),
    overBudget: metrics.counter(
      'eci_fleet_intake_over_budget_total',
      'Pods and inventories that a cluster sent over its budget, and that it is asked for again',
      ['cluster'],
    ),
    conflicts: metrics.counter('eci_fleet_intake_conflicts_total', 'Streams that changed while a batch was decided'),
    batchSeconds: metrics.histogram('eci_fleet_intake_batch_seconds', 'Time to handle one batch'),
    batchMessages: metrics.histogram(
      'eci_fleet_intake_batch_messages',
      'Messages of one batch',
      [],
      [1, 5, 20, 50, 100, 200, 500],
    ),
  };
}
export type IntakeMetrics = ReturnType<typeof intakeMetrics>;
