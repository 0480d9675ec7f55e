import { flag, port, section, type Given, type Variables } from '#libs/configuration';
import { apiServerLink } from '#libs/kubernetes';
import { insecureTransports, type InsecureTransport, type RuledLink } from '#libs/transport';
import { z } from 'zod';

interface KubernetesSettings {
  readonly kubeconfig?: string | undefined;
  /** Where a pod finds the API server. */
  readonly inCluster?: { readonly host: string; readonly port: number } | undefined;
  readonly kubernetesQps: number;
  readonly eventQps: number;
  readonly insecureTransports: readonly InsecureTransport[];
}

export const kubernetes = section({
  variables: {
    KUBECONFIG: { meaning: 'kubeconfig file; empty: the service account of the pod', file: true },
    KUBECONFIG_INSECURE: {
      meaning: 'it may name a server on another machine without https, verification or user: true or false',
      default: 'false',
      schema: flag,
    },
    KUBERNETES_SERVICE_HOST: { meaning: 'set by Kubernetes in every pod; needed where KUBECONFIG is empty' },
    KUBERNETES_SERVICE_PORT: {
      meaning: 'set by Kubernetes in every pod, as that',
      default: '443',
      schema: port,
    },
    KUBERNETES_QPS: {
      meaning: 'most requests a second to the API server',
      default: '500',
      schema: z.coerce.number().positive().max(10_000),
    },
    KUBERNETES_EVENT_QPS: {
      meaning: 'most Kubernetes Events a second among them',
      default: '50',
      schema: z.coerce.number().positive().max(1_000),
    },
  } as const satisfies Variables,
  rules: (given) => {
    if (!given.has('KUBECONFIG') && !given.has('KUBERNETES_SERVICE_HOST'))
      given.fault('KUBECONFIG', 'is required outside a cluster');
  },
  settings: (v, given): KubernetesSettings => ({
    kubeconfig: v.KUBECONFIG,
    inCluster:
      v.KUBERNETES_SERVICE_HOST === undefined
        ? undefined
        : { host: v.KUBERNETES_SERVICE_HOST, port: v.KUBERNETES_SERVICE_PORT },
    kubernetesQps: v.KUBERNETES_QPS,
    eventQps: v.KUBERNETES_EVENT_QPS,
    insecureTransports: insecureTransports(linksOf(v.KUBECONFIG, given), given.environment, given.faults),
  }),
});

function linksOf(kubeconfig: string | undefined, given: Given): readonly RuledLink[] {
  if (kubeconfig === undefined || given.textOf('KUBECONFIG') === undefined) return [];
  try {
    return [apiServerLink(kubeconfig)];
  } catch {
    // What is wrong with it is said when it is used.
    return [];
  }
}
