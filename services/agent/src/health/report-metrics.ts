import type { Metrics } from '#libs/observability';
import type { HealthReport } from './agent-health.ts';

/** Sets the gauges to what the report says. `apiRequestsQueued`: requests to the API server that wait for their turn. */
export function setGauges(metrics: Metrics, report: HealthReport, apiRequestsQueued: number): void {
  const gauge = (name: string, help: string, value: number): void =>
    metrics.gauge(`eci_fleet_agent_${name}`, help).set(value);
  gauge('pods', 'Pods bound to the node', report.pods);
  gauge('intents_waiting', 'Pods whose intent waits for its turn', report.intentsQueued);
  gauge('pods_waiting', 'Pods that wait for something of the cluster, such as a ConfigMap', report.podsWaiting);
  gauge('status_backlog', 'Pod statuses that the API server does not have yet', report.statusBacklog);
  gauge('lease_age_seconds', 'Time since the last renewal of the lease', report.leaseAgeSeconds);
  gauge('session_live', '1 while the control plane answers', report.session.state === 'live' ? 1 : 0);
  const believesAll = report.believes !== 'the control plane alone';
  gauge('believes_unproven', '1 while statuses and commands without a MAC count', believesAll ? 1 : 0);
  gauge('api_requests_queued', 'Requests to the API server that wait for their turn', apiRequestsQueued);
  const insecure = metrics.gauge(
    'eci_fleet_agent_insecure_transport',
    'Settings by which something leaves this machine without being encrypted and authenticated, as allowed',
    ['setting'],
  );
  for (const { setting } of report.insecureTransports) insecure.set({ setting }, 1);
}
