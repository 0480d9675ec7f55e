import { list, section, type Variables } from '#libs/configuration';
import { z } from 'zod';
import { nameOfObject } from '../config/texts.ts';

interface ResolveSettings {
  /** Empty: those of the Service kube-system/kube-dns. */
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
}

export const resolve = section({
  variables: {
    CLUSTER_DNS: {
      meaning: 'addresses of the cluster’s DNS, comma separated; empty: Service kube-system/kube-dns',
      schema: list(z.array(z.union([z.ipv4(), z.ipv6()], 'each must be an IP address'))),
    },
    CLUSTER_DOMAIN: { meaning: 'DNS domain of the cluster', default: 'cluster.local', schema: nameOfObject },
  } as const satisfies Variables,
  settings: (v): ResolveSettings => ({ clusterDns: v.CLUSTER_DNS ?? [], clusterDomain: v.CLUSTER_DOMAIN }),
});
