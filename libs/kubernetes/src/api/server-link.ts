import type { RuledLink } from '#libs/transport';
import { readKubeconfig } from './plain-access.ts';

/** The way to the API server that a kubeconfig names, for the rule of all ways out of a process. Throws, naming the file, as reading it does. */
export function apiServerLink(kubeconfig: string, context?: string): RuledLink {
  const { cluster, user } = readKubeconfig(kubeconfig, context);
  const server = String(cluster['server']);
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const encrypted = url?.protocol === 'https:';
  return {
    setting: 'KUBECONFIG',
    exception: 'KUBECONFIG_INSECURE',
    remedy: 'name an https server in it, its certificate-authority and a user, without insecure-skip-tls-verify',
    hosts: [url?.hostname ?? server],
    encrypted,
    serverVerified: encrypted && cluster['insecure-skip-tls-verify'] !== true,
    clientProven: Object.keys(user).length > 0,
  };
}
