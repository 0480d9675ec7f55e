import type {
  ContainerGroupSpec,
  ContainerSpec,
  HandlerSpec,
  InitContainerSpec,
  ProbeSpec,
  VolumeSpec,
} from '#libs/contracts';
import type { Placement } from './eci.ts';
import type { GroupIdentity } from './reads.ts';
import type { ContainerFields, CreateFields, InitContainerFields, ProbeFields, VolumeFields } from './sdk.ts';
import { tagsOf } from './tags.ts';

/**
 * How a file's mode is sent. ECI's texts show four octal digits for a field of type int32; whether it reads 420 as 0644, or wants the digits
 * 644, could not be tried without an account. `number` sends 420, `octal-digits` sends 644.
 */
export type FileModes = 'number' | 'octal-digits';

/** vSwitches that one create may name (ECI docs, multi-zone). */
const MAX_VSWITCHES = 10;

/** The fields of a create, and the query parameters that the SDK's class does not have. */
export interface CreateParameters {
  readonly fields: CreateFields;
  readonly queries: Readonly<Record<string, string>>;
}

/**
 * A container group in the SDK's own field names. Pure. Not sent, because ECI has no field for them: group and non-root of init containers
 * (`libs/kubernetes` says so on the pod), and the host of a probe.
 */
export function createParameters(
  spec: ContainerGroupSpec,
  placement: Placement,
  identity: GroupIdentity,
  fileModes: FileModes,
): CreateParameters {
  const { vSwitchIds, specs } = placement;
  if (vSwitchIds.length < 1 || vSwitchIds.length > MAX_VSWITCHES) {
    throw new RangeError(`${spec.name}: a create names 1 to ${MAX_VSWITCHES} vSwitches, not ${vSwitchIds.length}`);
  }
  if (specs.length < 1) throw new RangeError(`${spec.name}: a create names at least one spec`);
  const safe = spec.sysctls.filter((each) => each.safe);
  const unsafe = spec.sysctls.filter((each) => !each.safe);
  const fields: CreateFields = {
    regionId: spec.region,
    containerGroupName: spec.name,
    clientToken: placement.clientToken,
    vSwitchId: vSwitchIds.join(','),
    scheduleStrategy: placement.ordered ? 'VSwitchOrdered' : (spec.scheduleStrategy ?? 'VSwitchRandom'),
    securityGroupId: spec.securityGroupIds.length > 0 ? spec.securityGroupIds.join(',') : undefined,
    resourceGroupId: spec.resourceGroupId,
    ramRoleName: spec.ramRoleName,
    restartPolicy: spec.restartPolicy,
    instanceType: specs.join(','),
    cpuArchitecture: spec.cpuArchitecture,
    ...spotFields(spec, placement),
    tag: tagsOf(identity, spec.tags),
    dnsPolicy: spec.dns?.policy,
    dnsConfig: spec.dns && {
      nameServer: list(spec.dns.nameServers),
      search: list(spec.dns.searches),
      option: list(spec.dns.options.map(({ name, value }) => ({ name, value }))),
    },
    hostAliase: list(spec.hostAliases.map(({ ip, hostnames }) => ({ ip, hostname: list(hostnames) }))),
    hostName: spec.hostName,
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
    activeDeadlineSeconds: spec.activeDeadlineSeconds,
    shareProcessNamespace: spec.shareProcessNamespace,
    securityContext: safe.length > 0 ? { sysctl: safe.map(({ name, value }) => ({ name, value })) } : undefined,
    hostSecurityContext: unsafe.length > 0 ? { sysctl: unsafe.map(({ name, value }) => ({ name, value })) } : undefined,
    imageRegistryCredential: list(
      spec.registryCredentials.map(({ server, userName, password }) => ({ server, userName, password })),
    ),
    ephemeralStorage: spec.ephemeralStorageGiB,
    autoMatchImageCache: spec.autoMatchImageCache,
    imageSnapshotId: spec.imageSnapshotId,
    volume: list(spec.volumes.map((volume) => volumeFields(volume, fileModes))),
    container: list(spec.containers.map(containerFields)),
    initContainer: list(spec.initContainers.map(initContainerFields)),
  };
  // Newer than the SDK (API of 2025-12); it travels as a signed query parameter beside the model.
  const queries: Record<string, string> =
    spec.maxPendingMinutes === undefined ? {} : { MaxPendingMinute: String(spec.maxPendingMinutes) };
  return { fields, queries };
}

/** An empty list sends nothing; leaving it out says so. */
const list = <T>(items: readonly T[]): readonly T[] | undefined => (items.length > 0 ? items : undefined);

/** The SDK writes numbers as JavaScript does (`1e-7`), so they are rounded to what ECI takes: three decimals. */
const decimal = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value * 1_000) / 1_000;

function spotFields(spec: ContainerGroupSpec, placement: Placement): CreateFields {
  if (!placement.spot) return {};
  const strategy = spec.spot?.strategy ?? 'SpotAsPriceGo';
  return {
    spotStrategy: strategy,
    spotPriceLimit: strategy === 'SpotWithPriceLimit' ? decimal(spec.spot?.priceLimit) : undefined,
    spotDuration: spec.spot?.durationHours,
  };
}

function initContainerFields(container: InitContainerSpec): InitContainerFields {
  const { security } = container;
  const securityContext = {
    capability: security.addCapabilities.length > 0 ? { add: security.addCapabilities } : undefined,
    // Only `true` is supported.
    readOnlyRootFilesystem: security.readOnlyRootFilesystem ? true : undefined,
    runAsUser: security.runAsUser,
  };
  return {
    name: container.name,
    image: container.image,
    imagePullPolicy: container.imagePullPolicy,
    cpu: decimal(container.cpu),
    memory: decimal(container.memoryGiB),
    gpu: container.gpu,
    command: list(container.command),
    arg: list(container.args),
    workingDir: container.workingDir,
    environmentVar: list(
      container.env.map((env) =>
        'fieldPath' in env
          ? { key: env.name, fieldRef: { fieldPath: env.fieldPath } }
          : { key: env.name, value: env.value },
      ),
    ),
    port: list(container.ports.map(({ port, protocol }) => ({ port, protocol }))),
    volumeMount: list(
      container.mounts.map((mount) => ({
        name: mount.volume,
        mountPath: mount.path,
        subPath: mount.subPath,
        readOnly: mount.readOnly,
        mountPropagation: mount.propagation,
      })),
    ),
    securityContext: Object.values(securityContext).some((value) => value !== undefined) ? securityContext : undefined,
    terminationMessagePath: container.terminationMessagePath,
    terminationMessagePolicy: container.terminationMessagePolicy,
  };
}

function containerFields(container: ContainerSpec): ContainerFields {
  return {
    ...initContainerFields(container),
    securityContextRunAsGroup: container.security.runAsGroup,
    securityContextRunAsNonRoot: container.security.runAsNonRoot,
    livenessProbe: container.liveness && probeFields(container.liveness),
    readinessProbe: container.readiness && probeFields(container.readiness),
    ...postStartFields(container.postStart),
    ...preStopFields(container.preStop),
    stdin: container.stdin,
    stdinOnce: container.stdinOnce,
    tty: container.tty,
  };
}

function probeFields(probe: ProbeSpec): ProbeFields {
  const { handler } = probe;
  return {
    exec: handler.kind === 'exec' ? { command: handler.command } : undefined,
    httpGet: handler.kind === 'http' ? { path: handler.path, port: handler.port, scheme: handler.scheme } : undefined,
    tcpSocket: handler.kind === 'tcp' ? { port: handler.port } : undefined,
    initialDelaySeconds: probe.initialDelaySeconds,
    periodSeconds: probe.periodSeconds,
    timeoutSeconds: probe.timeoutSeconds,
    successThreshold: probe.successThreshold,
    failureThreshold: probe.failureThreshold,
  };
}

function postStartFields(handler: HandlerSpec | undefined): ContainerFields {
  switch (handler?.kind) {
    case undefined:
      return {};
    case 'exec':
      return { lifecyclePostStartHandlerExec: handler.command };
    case 'http':
      return {
        lifecyclePostStartHandlerHttpGetHost: handler.host,
        lifecyclePostStartHandlerHttpGetPath: handler.path,
        lifecyclePostStartHandlerHttpGetPort: handler.port,
        lifecyclePostStartHandlerHttpGetScheme: handler.scheme,
      };
    case 'tcp':
      return {
        lifecyclePostStartHandlerTcpSocketHost: handler.host,
        lifecyclePostStartHandlerTcpSocketPort: handler.port,
      };
  }
}

function preStopFields(handler: HandlerSpec | undefined): ContainerFields {
  switch (handler?.kind) {
    case undefined:
      return {};
    case 'exec':
      return { lifecyclePreStopHandlerExec: handler.command };
    case 'http':
      return {
        lifecyclePreStopHandlerHttpGetHost: handler.host,
        lifecyclePreStopHandlerHttpGetPath: handler.path,
        lifecyclePreStopHandlerHttpGetPort: handler.port,
        lifecyclePreStopHandlerHttpGetScheme: handler.scheme,
      };
    case 'tcp':
      return {
        lifecyclePreStopHandlerTcpSocketHost: handler.host,
        lifecyclePreStopHandlerTcpSocketPort: handler.port,
      };
  }
}

function volumeFields(volume: VolumeSpec, fileModes: FileModes): VolumeFields {
  switch (volume.kind) {
    case 'empty-dir':
      return {
        name: volume.name,
        type: 'EmptyDirVolume',
        emptyDirVolume:
          volume.medium === undefined && volume.sizeLimit === undefined
            ? undefined
            : { medium: volume.medium, sizeLimit: volume.sizeLimit },
      };
    case 'files':
      return {
        name: volume.name,
        type: 'ConfigFileVolume',
        configFileVolume: {
          defaultMode: fileMode(volume.defaultMode, fileModes),
          configFileToPath: list(
            volume.files.map(({ path, content, mode }) => ({ path, content, mode: fileMode(mode, fileModes) })),
          ),
        },
      };
    case 'nfs':
      return {
        name: volume.name,
        type: 'NFSVolume',
        NFSVolume: { server: volume.server, path: volume.path, readOnly: volume.readOnly },
      };
  }
}

function fileMode(mode: number | undefined, fileModes: FileModes): number | undefined {
  if (mode === undefined || fileModes === 'number') return mode;
  return Number(mode.toString(8));
}
