import { Connection, KubernetesApi } from '#libs/kubernetes';
import type { Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { AgentConfig } from './config.ts';

/** The API server of the cluster, at the pace that was set, its requests measured. Throws when the kubeconfig cannot be read. */
export function connectKubernetes(
  config: AgentConfig,
  { clock, metrics, version }: { readonly clock: Clock; readonly metrics: Metrics; readonly version: string },
): KubernetesApi {
  const requests = metrics.histogram('eci_fleet_agent_api_request_seconds', 'Requests to the API server', [
    'verb',
    'resource',
    'code',
  ]);
  return new KubernetesApi({
    connection: Connection.load({ kubeconfig: config.kubeconfig, inCluster: config.inCluster }),
    clock,
    qps: config.kubernetesQps,
    userAgent: `eci-fleet-agent/${version}`,
    onRequest: ({ verb, resource, status, ms }) =>
      requests.observe({ verb, resource, code: String(status) }, ms / 1000),
  });
}
