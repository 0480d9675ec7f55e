import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { pemKeyFault } from '#libs/keys';
import { apiServerLink } from '#libs/kubernetes';
import type { KafkaSecurity } from '#libs/messaging';
import { fileGiven, notGiven } from '#libs/runtime';
import { caFault, insecureTransports, type InsecureTransport, type RuledLink, type TlsFiles } from '#libs/transport';
import { z } from 'zod';

/** One environment variable: its meaning, default and unit as `--help` prints them. */
interface Variable {
  readonly name: string;
  readonly meaning: string;
  readonly default?: string;
}

/** Every variable the agent reads. Nothing else of the environment is looked at. */
export const VARIABLES: readonly Variable[] = [
  { name: 'CONTROL_PLANE_URL', meaning: 'URL of the control plane; https, or http on this machine. Required' },
  { name: 'CONTROL_PLANE_CA_FILE', meaning: 'PEM file with the CA of the control plane; empty: the system’s' },
  {
    name: 'CONTROL_PLANE_INSECURE',
    meaning: 'the control plane on another machine may be called in clear: true or false',
    default: 'false',
  },
  { name: 'JOIN_TOKEN', meaning: 'one-time token from registering the cluster; needed until the agent has joined' },
  { name: 'JOIN_TOKEN_FILE', meaning: 'file with that token, instead of JOIN_TOKEN' },
  { name: 'KUBECONFIG', meaning: 'kubeconfig file; empty: the service account of the pod' },
  {
    name: 'KUBECONFIG_INSECURE',
    meaning: 'it may name a server on another machine without https, verification or user: true or false',
    default: 'false',
  },
  { name: 'KUBERNETES_SERVICE_HOST', meaning: 'set by Kubernetes in every pod; needed where KUBECONFIG is empty' },
  { name: 'KUBERNETES_SERVICE_PORT', meaning: 'set by Kubernetes in every pod, as that', default: '443' },
  { name: 'KUBERNETES_QPS', meaning: 'most requests a second to the API server', default: '500' },
  { name: 'KUBERNETES_EVENT_QPS', meaning: 'most Kubernetes Events a second among them', default: '50' },
  { name: 'KAFKA_BROKERS', meaning: 'brokers as host:port, comma separated; empty: those the control plane names' },
  { name: 'KAFKA_CA_FILE', meaning: 'PEM file with the CA of the brokers, where they speak TLS; empty: the system’s' },
  {
    name: 'KAFKA_SECURITY',
    meaning:
      'how Kafka learns who calls: scram-sha-512, scram-sha-256 or mtls, as principal <fleet>.<cluster>; empty: as the control plane says',
  },
  { name: 'KAFKA_USERNAME', meaning: 'user of Kafka, with SCRAM' },
  { name: 'KAFKA_PASSWORD_FILE', meaning: 'file with the password of that user' },
  { name: 'KAFKA_CERT_FILE', meaning: 'PEM certificate that brokers are shown, with mtls' },
  { name: 'KAFKA_KEY_FILE', meaning: 'PEM key of that certificate' },
  {
    name: 'KAFKA_INSECURE',
    meaning: 'brokers on other machines may be called without TLS or without saying who calls: true or false',
    default: 'false',
  },
  { name: 'NODE_NAME', meaning: 'name of the virtual node', default: 'virtual-kubelet' },
  {
    name: 'NODE_ADDRESS',
    meaning: 'InternalIP of the node: where the API server reaches the agent',
    default: '127.0.0.1',
  },
  { name: 'KUBELET_PORT', meaning: 'port of the kubelet API that the node announces', default: '10250' },
  { name: 'VKUBELET_TAINT_KEY', meaning: 'key of the node’s taint', default: 'virtual-kubelet.io/provider' },
  { name: 'VKUBELET_TAINT_VALUE', meaning: 'its value', default: 'alibabacloud' },
  {
    name: 'VKUBELET_TAINT_EFFECT',
    meaning: 'its effect: NoSchedule, PreferNoSchedule or NoExecute',
    default: 'NoSchedule',
  },
  { name: 'ECI_QUOTA_CPU', meaning: 'capacity of the node, cores', default: '192000' },
  { name: 'ECI_QUOTA_MEMORY', meaning: 'capacity of the node, quantity', default: '640Ti' },
  { name: 'ECI_QUOTA_POD', meaning: 'capacity of the node, pods', default: '4000' },
  { name: 'ECI_REGION', meaning: 'region of the container groups. Required' },
  { name: 'ECI_VPC', meaning: 'VPC of the container groups' },
  { name: 'ECI_VSWITCH', meaning: 'vSwitches, comma separated, at most 10' },
  { name: 'ECI_SECURITY_GROUP', meaning: 'security group' },
  { name: 'ECI_KUBE_PROXY', meaning: 'pods reach ClusterIP services: true or false', default: 'true' },
  { name: 'ALIYUN_RESOURCEGROUP_ID', meaning: 'resource group' },
  { name: 'ALIYUN_CLUSTERID', meaning: 'id of the cluster at Alibaba Cloud; a label of the node' },
  {
    name: 'CLUSTER_DNS',
    meaning: 'addresses of the cluster’s DNS, comma separated; empty: Service kube-system/kube-dns',
  },
  { name: 'CLUSTER_DOMAIN', meaning: 'DNS domain of the cluster', default: 'cluster.local' },
  { name: 'AGENT_NAMESPACE', meaning: 'namespace of the agent: its Secrets live there', default: 'eci-fleet' },
  { name: 'INVENTORY_SECONDS', meaning: 'time between two inventories, seconds', default: '300' },
  { name: 'WEBHOOK', meaning: 'serve and register the steering webhook: true or false', default: 'true' },
  { name: 'WEBHOOK_HOST', meaning: 'address the webhook listens on', default: '0.0.0.0' },
  { name: 'WEBHOOK_PORT', meaning: 'port the webhook listens on; 0 = any free one', default: '9443' },
  {
    name: 'WEBHOOK_URL',
    meaning:
      'https URL under which the API server reaches the webhook, without the path /mutate; its port 0 = the port listened on; empty: the Service below',
  },
  {
    name: 'WEBHOOK_SERVICE',
    meaning: 'Service in AGENT_NAMESPACE that leads to the webhook, port 443',
    default: 'eci-fleet-agent',
  },
  { name: 'WEBHOOK_CERT_FILE', meaning: 'PEM certificate of the webhook; empty: self-made and renewed' },
  { name: 'WEBHOOK_KEY_FILE', meaning: 'PEM key of that certificate' },
  { name: 'WEBHOOK_CA_FILE', meaning: 'PEM CA of that certificate, for the webhook’s registration' },
  {
    name: 'WEBHOOK_CLIENT_CA_FILE',
    meaning:
      'PEM file with the CA of the API server’s client certificate: callers of the webhook must show one of it; empty: none is asked for',
  },
  {
    name: 'WEBHOOK_CLIENT_NAMES',
    meaning: 'common names of that certificate, comma separated; empty: every one of that CA',
  },
  { name: 'HEALTH_HOST', meaning: 'address of /healthz and /metrics', default: '127.0.0.1' },
  { name: 'HEALTH_PORT', meaning: 'port of /healthz and /metrics; 0 = any free one', default: '8081' },
  { name: 'LOG_LEVEL', meaning: 'debug, info, warn, error or silent', default: 'info' },
];

const optional = z.string().optional();
const port = z.coerce.number().int().min(0).max(65_535);
const list = (of: z.ZodType<string, string>) =>
  z
    .string()
    .optional()
    .transform((text) =>
      (text ?? '')
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .pipe(z.array(of));
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');
const nameOfObject = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'must be a DNS name in lower case');
const webUrl = (protocols: readonly string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    error: `must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  });

const Environment = z.object({
  CONTROL_PLANE_URL: webUrl(['http:', 'https:']).transform((text) => text.replace(/\/+$/, '')),
  CONTROL_PLANE_CA_FILE: optional,
  CONTROL_PLANE_INSECURE: flag,
  JOIN_TOKEN: optional,
  JOIN_TOKEN_FILE: optional,
  KUBECONFIG: optional,
  KUBECONFIG_INSECURE: flag,
  KUBERNETES_SERVICE_HOST: optional,
  KUBERNETES_SERVICE_PORT: port,
  KUBERNETES_QPS: z.coerce.number().positive().max(10_000),
  KUBERNETES_EVENT_QPS: z.coerce.number().positive().max(1_000),
  KAFKA_BROKERS: list(z.string().regex(/^.+:\d+$/, 'each must be host:port')),
  KAFKA_CA_FILE: optional,
  KAFKA_SECURITY: z.enum(['scram-sha-512', 'scram-sha-256', 'mtls']).optional(),
  KAFKA_USERNAME: optional,
  KAFKA_PASSWORD_FILE: optional,
  KAFKA_CERT_FILE: optional,
  KAFKA_KEY_FILE: optional,
  KAFKA_INSECURE: flag,
  NODE_NAME: nameOfObject,
  NODE_ADDRESS: z.union([z.ipv4(), z.ipv6()], 'must be an IP address'),
  KUBELET_PORT: port,
  VKUBELET_TAINT_KEY: z.string(),
  VKUBELET_TAINT_VALUE: z.string(),
  VKUBELET_TAINT_EFFECT: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
  ECI_QUOTA_CPU: z.string().regex(/^\d+m?$/, 'must be a number of cores'),
  ECI_QUOTA_MEMORY: z.string().regex(/^\d+(\.\d+)?([KMGTPE]i?|k)?$/, 'must be a quantity such as 640Ti'),
  ECI_QUOTA_POD: z.string().regex(/^\d+$/, 'must be a whole number'),
  ECI_REGION: z.string().regex(/^[a-z0-9-]+$/, 'must be a region id such as cn-hangzhou'),
  ECI_VPC: optional,
  ECI_VSWITCH: list(z.string()).pipe(z.array(z.string()).max(10, 'at most 10 vSwitches')),
  ECI_SECURITY_GROUP: optional,
  ECI_KUBE_PROXY: flag,
  ALIYUN_RESOURCEGROUP_ID: optional,
  ALIYUN_CLUSTERID: optional,
  CLUSTER_DNS: list(z.union([z.ipv4(), z.ipv6()], 'each must be an IP address')),
  CLUSTER_DOMAIN: nameOfObject,
  AGENT_NAMESPACE: nameOfObject,
  INVENTORY_SECONDS: z.coerce.number().int().min(5).max(3_600),
  WEBHOOK: flag,
  WEBHOOK_HOST: z.string(),
  WEBHOOK_PORT: port,
  WEBHOOK_URL: webUrl(['https:']).optional(),
  WEBHOOK_SERVICE: nameOfObject,
  WEBHOOK_CERT_FILE: optional,
  WEBHOOK_KEY_FILE: optional,
  WEBHOOK_CA_FILE: optional,
  WEBHOOK_CLIENT_CA_FILE: optional,
  WEBHOOK_CLIENT_NAMES: list(z.string().max(64, 'each has at most 64 characters')),
  HEALTH_HOST: z.string(),
  HEALTH_PORT: port,
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']),
});

/** What the agent runs with. */
export interface AgentConfig {
  readonly controlPlaneUrl: string;
  /** Path of a PEM file, read at each connection. */
  readonly controlPlaneCaFile?: string | undefined;
  readonly joinToken?: string | undefined;
  readonly kubeconfig?: string | undefined;
  /** Where a pod finds the API server. */
  readonly inCluster?: { readonly host: string; readonly port: number } | undefined;
  readonly kubernetesQps: number;
  readonly eventQps: number;
  readonly kafka: AgentKafka;
  /** What leaves this machine without being encrypted and authenticated, as allowed; of Kafka only the session tells. */
  readonly insecureTransports: readonly InsecureTransport[];
  readonly nodeName: string;
  readonly nodeAddress: string;
  readonly kubeletPort: number;
  readonly taint: { readonly key: string; readonly value: string; readonly effect: string };
  readonly quota: { readonly cpu: string; readonly memory: string; readonly pods: string };
  readonly region: string;
  readonly vpcId?: string | undefined;
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId?: string | undefined;
  readonly resourceGroupId?: string | undefined;
  readonly enableClusterIp: boolean;
  readonly alibabaClusterId?: string | undefined;
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  readonly namespace: string;
  readonly inventorySeconds: number;
  /** Absent = pods are not steered by this agent. */
  readonly webhook?: WebhookConfig | undefined;
  readonly healthHost: string;
  readonly healthPort: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** What goes before the control plane's word on Kafka. */
export interface AgentKafka {
  /** Empty: those of the session. */
  readonly brokers: readonly string[];
  /** Absent: as the session says. */
  readonly security?: KafkaSecurity | undefined;
  /** For brokers that speak TLS. */
  readonly files: TlsFiles;
  /** Brokers on other machines may be called in clear, or without saying who calls. */
  readonly insecure: boolean;
}

export interface WebhookConfig {
  readonly host: string;
  readonly port: number;
  readonly url?: string | undefined;
  readonly service: string;
  /** PEM files, looked at every half minute; absent = self-made, kept in a Secret. */
  readonly given?: { readonly certFile: string; readonly keyFile: string; readonly caFile: string } | undefined;
  /** Whose certificate callers must show, by a PEM file that is looked at as often; absent = nobody's. */
  readonly clients?: { readonly caFile: string; readonly names: readonly string[] } | undefined;
}

/** A configuration with faults: all of them, one a line, each with the variable's name. */
export class ConfigurationError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    );
    this.name = 'ConfigurationError';
    this.faults = faults;
  }
}

/** Reads the configuration from an environment. Throws `ConfigurationError` with every fault; each names what was given, but for secrets. */
export function loadAgentConfig(environment: Readonly<Record<string, string | undefined>>): AgentConfig {
  const given = Object.fromEntries(
    VARIABLES.map(({ name, default: fallback }) => {
      const value = environment[name]?.trim();
      return [name, value === undefined || value === '' ? fallback : value];
    }),
  );
  const parsed = Environment.safeParse(given);
  const faults: string[] = [];
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = String(issue.path[0] ?? '');
      const value = given[name];
      faults.push(
        value === undefined && issue.path.length === 1
          ? `${name}: is required`
          : `${name}: ${issue.message}${notGiven(value ?? '')}`,
      );
    }
  }
  faults.push(...crossFaults(given));
  // Files are looked at even when other things are wrong, so that one start shows every fault.
  const file = (name: string): string | undefined => {
    const path = given[name];
    if (path === undefined) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      faults.push(`${name}: ${fileGiven(path)}cannot be read (${(error as { code?: string }).code ?? 'error'})`);
      return undefined;
    }
  };
  const joinTokenFile = file('JOIN_TOKEN_FILE');
  for (const name of ['CONTROL_PLANE_CA_FILE', 'KAFKA_CA_FILE']) {
    const text = file(name);
    const fault = text === undefined ? undefined : caFault(text);
    if (fault !== undefined) faults.push(`${name}: ${fault}`);
  }
  const kafkaPassword = file('KAFKA_PASSWORD_FILE')?.trim();
  const kafkaCertificate = [file('KAFKA_CERT_FILE'), file('KAFKA_KEY_FILE')] as const;
  const [cert, key] = [file('WEBHOOK_CERT_FILE'), file('WEBHOOK_KEY_FILE')];
  file('WEBHOOK_CA_FILE');
  const clientCa = file('WEBHOOK_CLIENT_CA_FILE');
  if (clientCa !== undefined && !isCertificate(clientCa))
    faults.push('WEBHOOK_CLIENT_CA_FILE: holds no certificate in PEM');
  for (const [name, ownCert, ownKey] of [
    ['WEBHOOK_KEY_FILE', cert, key],
    ['KAFKA_KEY_FILE', ...kafkaCertificate],
  ] as const) {
    const fault = ownCert === undefined || ownKey === undefined ? undefined : pemKeyFault(ownKey, ownCert);
    if (fault !== undefined) faults.push(`${name}: ${fault}`);
  }
  const insecure = insecureTransports(linksOf(given, file('KUBECONFIG') !== undefined), environment, faults);
  if (faults.length > 0 || !parsed.success) throw new ConfigurationError(faults);
  const env = parsed.data;
  return {
    controlPlaneUrl: env.CONTROL_PLANE_URL,
    controlPlaneCaFile: env.CONTROL_PLANE_CA_FILE,
    joinToken: env.JOIN_TOKEN ?? joinTokenFile?.trim(),
    kubeconfig: env.KUBECONFIG,
    inCluster:
      env.KUBERNETES_SERVICE_HOST === undefined
        ? undefined
        : { host: env.KUBERNETES_SERVICE_HOST, port: env.KUBERNETES_SERVICE_PORT },
    kubernetesQps: env.KUBERNETES_QPS,
    eventQps: env.KUBERNETES_EVENT_QPS,
    kafka: {
      brokers: env.KAFKA_BROKERS,
      security:
        env.KAFKA_SECURITY === undefined || env.KAFKA_SECURITY === 'mtls'
          ? env.KAFKA_SECURITY && { kind: env.KAFKA_SECURITY }
          : { kind: env.KAFKA_SECURITY, username: env.KAFKA_USERNAME ?? '', password: kafkaPassword ?? '' },
      files: { caFile: env.KAFKA_CA_FILE, certFile: env.KAFKA_CERT_FILE, keyFile: env.KAFKA_KEY_FILE },
      insecure: env.KAFKA_INSECURE,
    },
    insecureTransports: insecure,
    nodeName: env.NODE_NAME,
    nodeAddress: env.NODE_ADDRESS,
    kubeletPort: env.KUBELET_PORT,
    taint: { key: env.VKUBELET_TAINT_KEY, value: env.VKUBELET_TAINT_VALUE, effect: env.VKUBELET_TAINT_EFFECT },
    quota: { cpu: env.ECI_QUOTA_CPU, memory: env.ECI_QUOTA_MEMORY, pods: env.ECI_QUOTA_POD },
    region: env.ECI_REGION,
    vpcId: env.ECI_VPC,
    vSwitchIds: env.ECI_VSWITCH,
    securityGroupId: env.ECI_SECURITY_GROUP,
    resourceGroupId: env.ALIYUN_RESOURCEGROUP_ID,
    enableClusterIp: env.ECI_KUBE_PROXY,
    alibabaClusterId: env.ALIYUN_CLUSTERID,
    clusterDns: env.CLUSTER_DNS,
    clusterDomain: env.CLUSTER_DOMAIN,
    namespace: env.AGENT_NAMESPACE,
    inventorySeconds: env.INVENTORY_SECONDS,
    webhook: env.WEBHOOK
      ? {
          host: env.WEBHOOK_HOST,
          port: env.WEBHOOK_PORT,
          url: env.WEBHOOK_URL,
          service: env.WEBHOOK_SERVICE,
          clients:
            env.WEBHOOK_CLIENT_CA_FILE === undefined
              ? undefined
              : { caFile: env.WEBHOOK_CLIENT_CA_FILE, names: env.WEBHOOK_CLIENT_NAMES },
          given:
            env.WEBHOOK_CERT_FILE && env.WEBHOOK_KEY_FILE && env.WEBHOOK_CA_FILE
              ? { certFile: env.WEBHOOK_CERT_FILE, keyFile: env.WEBHOOK_KEY_FILE, caFile: env.WEBHOOK_CA_FILE }
              : undefined,
        }
      : undefined,
    healthHost: env.HEALTH_HOST,
    healthPort: env.HEALTH_PORT,
    logLevel: env.LOG_LEVEL,
  };
}

/** Faults between variables; on the raw text, so that they show beside the faults of single ones. */
function crossFaults(given: Readonly<Record<string, string | undefined>>): string[] {
  const faults: string[] = [];
  if (given.JOIN_TOKEN !== undefined && given.JOIN_TOKEN_FILE !== undefined) {
    faults.push('JOIN_TOKEN_FILE: give either JOIN_TOKEN or JOIN_TOKEN_FILE, not both');
  }
  if (given.KUBECONFIG === undefined && given.KUBERNETES_SERVICE_HOST === undefined) {
    faults.push('KUBECONFIG: is required outside a cluster');
  }
  if (given.WEBHOOK_CLIENT_NAMES !== undefined && given.WEBHOOK_CLIENT_CA_FILE === undefined) {
    faults.push('WEBHOOK_CLIENT_CA_FILE: is required where WEBHOOK_CLIENT_NAMES is given');
  }
  for (const files of [
    ['WEBHOOK_CERT_FILE', 'WEBHOOK_KEY_FILE', 'WEBHOOK_CA_FILE'],
    ['KAFKA_CERT_FILE', 'KAFKA_KEY_FILE'],
  ]) {
    const missing = files.filter((name) => given[name] === undefined);
    if (missing.length > 0 && missing.length < files.length) {
      faults.push(`${missing.join(', ')}: ${files.join(', ')} belong together: give all or none`);
    }
  }
  const needs = given.KAFKA_SECURITY === 'mtls' ? ['KAFKA_CERT_FILE'] : ['KAFKA_USERNAME', 'KAFKA_PASSWORD_FILE'];
  const lacks = given.KAFKA_SECURITY === undefined ? [] : needs.filter((name) => given[name] === undefined);
  if (lacks.length > 0) faults.push(`${lacks.join(', ')}: KAFKA_SECURITY needs it`);
  return faults;
}

/** The ways out that are known before there is a session. */
function linksOf(given: Readonly<Record<string, string | undefined>>, kubeconfigIsRead: boolean): readonly RuledLink[] {
  const links: RuledLink[] = [];
  const url = given.CONTROL_PLANE_URL;
  if (url !== undefined && URL.canParse(url)) {
    const { protocol, hostname } = new URL(url);
    links.push({
      setting: 'CONTROL_PLANE_URL',
      exception: 'CONTROL_PLANE_INSECURE',
      remedy: 'use https, with CONTROL_PLANE_CA_FILE where its CA is your own',
      hosts: [hostname],
      encrypted: protocol === 'https:',
      serverVerified: protocol === 'https:',
      // Every call is signed, or holds the join token.
      clientProven: true,
    });
  }
  if (given.KUBECONFIG !== undefined && kubeconfigIsRead) {
    try {
      links.push(apiServerLink(given.KUBECONFIG));
    } catch {
      // What is wrong with it is said when it is used.
    }
  }
  return links;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca;
  } catch {
    return false;
  }
}

/** Text of `--help`. */
export function helpText(): string {
  const width = Math.max(...VARIABLES.map(({ name }) => name.length));
  const lines = VARIABLES.map(
    (v) => `  ${v.name.padEnd(width)}  ${v.meaning}${v.default === undefined ? '' : ` (default ${v.default})`}`,
  );
  return `The ECI Fleet agent: the virtual node of one Kubernetes cluster.\n\nIt is configured by environment variables:\n\n${lines.join('\n')}\n`;
}
