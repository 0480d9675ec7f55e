/**
 * A container group as we ask for it: our own words, independent of Kubernetes and of the cloud's SDK. `libs/kubernetes` makes it from a
 * pod, `libs/eci` turns it into a request. It holds secret values, so it lives in memory and in sealed storage only.
 */
export interface ContainerGroupSpec {
  /** 2–128 characters of `[a-z0-9-]`; not an identity. */
  readonly name: string;
  readonly region: string;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly containers: readonly ContainerSpec[];
  readonly initContainers: readonly InitContainerSpec[];
  readonly volumes: readonly VolumeSpec[];
  readonly securityGroupIds: readonly string[];
  readonly resourceGroupId?: string;
  readonly ramRoleName?: string;
  readonly registryCredentials: readonly {
    readonly server: string;
    readonly userName: string;
    readonly password: string;
  }[];
  readonly dns?: {
    readonly policy: 'Default' | 'None';
    readonly nameServers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly { readonly name: string; readonly value?: string }[];
  };
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  readonly hostName?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly activeDeadlineSeconds?: number;
  readonly shareProcessNamespace?: boolean;
  readonly sysctls: readonly { readonly name: string; readonly value: string; readonly safe: boolean }[];
  readonly spot?: {
    readonly strategy: 'SpotWithPriceLimit' | 'SpotAsPriceGo';
    readonly priceLimit?: number;
    readonly durationHours?: number;
  };
  readonly scheduleStrategy?: 'VSwitchOrdered' | 'VSwitchRandom';
  /** Tags that users asked for; identity tags are added by `libs/eci`. */
  readonly tags: Readonly<Record<string, string>>;
  /** Minutes that ECI lets a group stay pending, 10–1440. */
  readonly maxPendingMinutes?: number;
  readonly cpuArchitecture?: 'AMD64' | 'ARM64';
  readonly ephemeralStorageGiB?: number;
  readonly autoMatchImageCache?: boolean;
  readonly imageSnapshotId?: string;
}

export interface InitContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  /** Cores and GiB; absent = not stated. */
  readonly cpu?: number;
  readonly memoryGiB?: number;
  readonly gpu?: number;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir?: string;
  readonly env: readonly EnvSpec[];
  readonly ports: readonly { readonly port: number; readonly protocol: 'TCP' | 'UDP' }[];
  readonly mounts: readonly {
    readonly volume: string;
    readonly path: string;
    readonly subPath?: string;
    readonly readOnly: boolean;
    readonly propagation?: 'None' | 'HostToContainer' | 'Bidirectional';
  }[];
  readonly security: {
    readonly runAsUser?: number;
    readonly runAsGroup?: number;
    readonly runAsNonRoot?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly addCapabilities: readonly string[];
  };
  readonly terminationMessagePath?: string;
  readonly terminationMessagePolicy?: string;
}

export interface ContainerSpec extends InitContainerSpec {
  readonly liveness?: ProbeSpec;
  readonly readiness?: ProbeSpec;
  readonly postStart?: HandlerSpec;
  readonly preStop?: HandlerSpec;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
}

export type EnvSpec =
  | { readonly name: string; readonly value: string }
  /** ECI fills in the pod's address; no other field can be left to it. */
  | { readonly name: string; readonly fieldPath: 'status.podIP' };

export type HandlerSpec =
  | { readonly kind: 'exec'; readonly command: readonly string[] }
  | {
      readonly kind: 'http';
      readonly path: string;
      readonly port: number;
      readonly scheme: 'HTTP' | 'HTTPS';
      readonly host?: string;
    }
  | { readonly kind: 'tcp'; readonly port: number; readonly host?: string };

export interface ProbeSpec {
  readonly handler: HandlerSpec;
  readonly initialDelaySeconds?: number;
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly successThreshold?: number;
  readonly failureThreshold?: number;
}

export type VolumeSpec =
  | { readonly kind: 'empty-dir'; readonly name: string; readonly medium?: 'Memory'; readonly sizeLimit?: string }
  | {
      readonly kind: 'files';
      readonly name: string;
      readonly defaultMode?: number;
      /** `content` is base64 of the file's bytes. Modes are numbers as Kubernetes gives them (420 = 0644). */
      readonly files: readonly { readonly path: string; readonly content: string; readonly mode?: number }[];
    }
  | {
      readonly kind: 'nfs';
      readonly name: string;
      readonly server: string;
      readonly path: string;
      readonly readOnly: boolean;
    };
