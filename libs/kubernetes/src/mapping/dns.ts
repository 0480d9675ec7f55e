/** Name resolution and host names of the pod. */
import type { ContainerGroupSpec, RunPod } from '#libs/contracts';
import type { PodSpec } from './fields/pod-fields.ts';
import { LIMITS } from './limits.ts';
import { type Ignored, refuse } from './refusal.ts';

type Dns = NonNullable<ContainerGroupSpec['dns']>;

/**
 * ClusterFirst becomes DNS settings of our own, since ECI does not know the cluster: its DNS servers, the usual search list, `ndots:5`, then
 * dnsConfig merged as the kubelet merges it. Where the cluster's DNS is not known it acts as Default, as a kubelet without cluster DNS does.
 */
export function dnsOf(
  spec: PodSpec,
  namespace: string,
  cluster: RunPod['resolved']['dns'],
  seen: Ignored[],
): Dns | undefined {
  const { dnsConfig } = spec;
  const policy = spec.dnsPolicy ?? 'ClusterFirst';
  const own = {
    nameServers: dnsConfig?.nameservers ?? [],
    searches: dnsConfig?.searches ?? [],
    options: (dnsConfig?.options ?? []).map(({ name, value }) => ({ name, ...(value !== undefined && { value }) })),
  };
  const base = clusterDns(policy, namespace, cluster, seen);
  if (base.policy === 'Default' && !dnsConfig) return undefined;
  const stated = new Set(own.options.map(({ name }) => name));
  const dns: Dns = {
    policy: base.policy,
    nameServers: [...new Set([...base.nameServers, ...own.nameServers])],
    searches: [...new Set([...base.searches, ...own.searches])],
    options: [...base.options.filter(({ name }) => !stated.has(name)), ...own.options],
  };
  for (const [key, list] of Object.entries({
    nameservers: dns.nameServers,
    searches: dns.searches,
    options: dns.options,
  })) {
    if (list.length > LIMITS.dnsEntries)
      refuse(`spec.dnsConfig.${key}`, `come to more than the ${LIMITS.dnsEntries} that ECI takes`);
  }
  if (dns.policy === 'None' && dns.nameServers.length === 0)
    refuse('spec.dnsConfig.nameservers', 'is empty, which dnsPolicy None does not allow');
  return dns;
}

const nothing = { nameServers: [], searches: [], options: [] } as const;

function clusterDns(policy: string, namespace: string, cluster: RunPod['resolved']['dns'], seen: Ignored[]): Dns {
  switch (policy) {
    case 'Default':
    case 'None':
      return { policy, ...nothing };
    case 'ClusterFirst':
    case 'ClusterFirstWithHostNet': {
      if (!cluster || cluster.nameServers.length === 0) {
        seen.push({
          field: 'spec.dnsPolicy',
          reason: 'The cluster’s DNS is not known to the agent; the pod gets the DNS of the VPC, as with Default.',
        });
        return { policy: 'Default', ...nothing };
      }
      const { clusterDomain: domain, nameServers } = cluster;
      return {
        policy: 'None',
        nameServers,
        searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain],
        options: [{ name: 'ndots', value: '5' }],
      };
    }
    default:
      return refuse('spec.dnsPolicy', 'must be ClusterFirst, ClusterFirstWithHostNet, Default or None');
  }
}

export function hostAliasesOf(
  spec: PodSpec,
  custom: ContainerGroupSpec['hostAliases'],
): ContainerGroupSpec['hostAliases'] {
  const aliases = [...(spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => ({ ip, hostnames })), ...custom];
  if (aliases.length > LIMITS.hostAliases)
    refuse('spec.hostAliases', `has more than the ${LIMITS.hostAliases} entries that ECI takes`);
  const crowded = aliases.findIndex(({ hostnames }) => hostnames.length > LIMITS.hostnamesPerAlias);
  if (crowded >= 0)
    refuse(
      `spec.hostAliases[${crowded}].hostnames`,
      `has more than the ${LIMITS.hostnamesPerAlias} names that ECI takes`,
    );
  return aliases;
}

/** The kubelet's rule: at most 63 characters, and none of `-.` at the end. */
export const hostNameOf = (spec: PodSpec, podName: string): string =>
  (spec.hostname || podName.slice(0, 63)).replace(/[-.]+$/, '');
