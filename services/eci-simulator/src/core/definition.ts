/** A container group as it was asked for, after validation. Plain JSON: it is kept in the journal as it is. */
export interface GroupDefinition {
  readonly region: string;
  readonly name: string;
  readonly clientToken?: string;
  readonly zoneId?: string;
  readonly vSwitchIds: readonly string[];
  readonly ordered: boolean;
  readonly securityGroupIds: readonly string[];
  /** Of the vSwitches; filled in when the network is looked up. */
  readonly vpcId?: string;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly cpu?: number;
  readonly memory?: number;
  /** `2-4Gi` or ECS types, tried in order; empty = by size. */
  readonly specs: readonly string[];
  readonly spotStrategy: 'NoSpot' | 'SpotWithPriceLimit' | 'SpotAsPriceGo';
  readonly spotPriceLimit?: number;
  readonly tags: readonly { readonly Key: string; readonly Value: string }[];
  readonly resourceGroupId?: string;
  readonly ramRoleName?: string;
  readonly hostName?: string;
  readonly ephemeralStorage?: number;
  readonly graceSeconds: number;
  readonly activeDeadlineSeconds?: number;
  readonly maxPendingMinutes: number;
  readonly imageCache: boolean;
  readonly dryRun: boolean;
  readonly containers: readonly ContainerDefinition[];
  readonly initContainers: readonly ContainerDefinition[];
  readonly volumes: readonly Readonly<Record<string, unknown>>[];
  readonly dnsConfig?: {
    readonly nameServers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly { readonly Name: string; readonly Value: string }[];
  };
  readonly hostAliases: readonly { readonly Ip: string; readonly Hostnames: readonly string[] }[];
  readonly sysctls: readonly { readonly Name: string; readonly Value: string }[];
}

export interface ContainerDefinition {
  readonly name: string;
  readonly image: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly gpu?: number;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir?: string;
  readonly imagePullPolicy?: string;
  readonly env: readonly { readonly key: string; readonly value: string; readonly fieldPath?: string }[];
  readonly envHidden: boolean;
  readonly ports: readonly { readonly Port: number; readonly Protocol: string }[];
  readonly mounts: readonly Readonly<Record<string, unknown>>[];
  readonly capabilities: readonly string[];
  readonly readOnlyRootFilesystem?: boolean;
  readonly runAsUser?: number;
  readonly liveness?: ProbeDefinition;
  readonly readiness?: ProbeDefinition;
  /** Words of the preStop command; empty for other handlers. */
  readonly preStop: readonly string[];
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
}

export interface ProbeDefinition {
  readonly exec: readonly string[];
  readonly httpGet?: { readonly Path: string; readonly Port: number; readonly Scheme: string };
  readonly tcpPort?: number;
  readonly initialDelaySeconds: number;
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly successThreshold: number;
  readonly failureThreshold: number;
}
