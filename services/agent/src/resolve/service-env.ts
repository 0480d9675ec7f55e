import type { ServiceObject } from '#libs/kubernetes';

/**
 * Variables of the services a pod may find in its environment, as the kubelet makes them (k8s.io/kubernetes pkg/kubelet/envvars). The service
 * `kubernetes` of namespace `default` is always there; the pod's own namespace comes with `enableServiceLinks` and wins.
 */
export function serviceEnvOf(
  own: readonly ServiceObject[],
  master: ServiceObject | undefined,
  enableServiceLinks: boolean,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const service of [...(master ? [master] : []), ...(enableServiceLinks ? own : [])]) {
    const ip = service.spec?.clusterIP;
    const ports = service.spec?.ports ?? [];
    const first = ports[0];
    // Headless services and names for other hosts have no address to give.
    if (ip === undefined || ip === '' || ip === 'None' || service.spec?.type === 'ExternalName' || !first) continue;
    const name = variable(service.metadata.name);
    env[`${name}_SERVICE_HOST`] = ip;
    env[`${name}_SERVICE_PORT`] = String(first.port);
    for (const port of ports) {
      if (port.name) env[`${name}_SERVICE_PORT_${variable(port.name)}`] = String(port.port);
    }
    env[`${name}_PORT`] = url(ip, first);
    for (const port of ports) {
      const prefix = `${name}_PORT_${port.port}_${protocol(port).toUpperCase()}`;
      env[prefix] = url(ip, port);
      env[`${prefix}_PROTO`] = protocol(port);
      env[`${prefix}_PORT`] = String(port.port);
      env[`${prefix}_ADDR`] = ip;
    }
  }
  return env;
}

type Port = { readonly port: number; readonly protocol?: string };

const variable = (name: string): string => name.toUpperCase().replaceAll('-', '_');
const protocol = (port: Port): string => (port.protocol ?? 'TCP').toLowerCase();
const url = (ip: string, port: Port): string => `${protocol(port)}://${ip.includes(':') ? `[${ip}]` : ip}:${port.port}`;
