import { cleanText, type ContainerGroupSpec, type RunPod, type SealedRunPod } from '#libs/contracts';
import type { PlacementNeed } from '#libs/domain';
import { readSteering, type Steering } from './annotations.ts';
import { mapContainer, mapInitContainer, type PodContext } from './containers.ts';
import { dnsOf, hostAliasesOf, hostNameOf } from './dns.ts';
import type { EnvSource } from './env.ts';
import { read } from './fields/field.ts';
import { podSpec, type PodSpec } from './fields/pod-fields.ts';
import { volumeSpec } from './files.ts';
import { groupName } from './group-name.ts';
import { groupSize } from './group-size.ts';
import { LIMITS } from './limits.ts';
import { type Ignored, Refusal, refuse } from './refusal.ts';
import { registryCredentialsOf } from './registry-credentials.ts';
import { readMetadata } from './source.ts';
import { refuseUnstorable } from './storable.ts';
import { sysctlsOf } from './sysctls.ts';

export interface MapPodInput {
  readonly accountId: string;
  readonly pod: RunPod['pod'];
  readonly resolved: RunPod['resolved'];
  readonly sealed: SealedRunPod;
  /** Whoever read the pod knows already that every text in all three can be kept; default false: each is looked at. */
  readonly storable?: boolean;
}

export type MapPodResult =
  | {
      readonly ok: true;
      /** Holds secret values. */
      readonly spec: ContainerGroupSpec;
      readonly need: PlacementNeed;
      /** What of the pod has no effect, on purpose, or only an approximate one. */
      readonly ignored: readonly Ignored[];
    }
  | {
      readonly ok: false;
      /** Path of the field, such as `spec.containers[0].securityContext.privileged`. */
      readonly field: string;
      /** What to do about it. Never holds a value of the pod. */
      readonly reason: string;
    };

/**
 * A pod as a container group: what to create, and what placement has to know. Pure; never throws; the same input gives the same answer. Every
 * field of the pod's spec is mapped, ignored on purpose, or refuses the pod: nothing is dropped in silence. The table is `fields/`, shown in
 * docs/operators/pod-fields.md.
 */
export function mapPod(input: MapPodInput): MapPodResult {
  try {
    const { ignored, ...mapped } = map(input);
    return { ok: true, ...mapped, ignored: ignored.map(cleaned) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, ...cleaned(error) };
    throw error;
  }
}

/** Keys of the pod and of what it names stand in both. */
const cleaned = ({ field, reason, warning }: Ignored): Ignored => ({
  field: cleanText(field),
  reason: cleanText(reason),
  ...(warning !== undefined && { warning }),
});

function map(input: MapPodInput): Omit<Extract<MapPodResult, { ok: true }>, 'ok'> {
  const { accountId, pod, resolved, sealed } = input;
  if (!input.storable) refuseUnstorable(input);
  checkProfile(resolved.profile);
  const ignored: Ignored[] = [];
  const metadata = readMetadata(pod, sealed);
  const spec = read(podSpec, pod.spec, 'spec', ignored);
  const steering = readSteering(metadata.annotations, ignored);
  checkCounts(spec);

  const source: EnvSource = {
    metadata,
    sealed,
    serviceEnv: resolved.serviceEnv,
    serviceAccountName: textOf(pod.spec['serviceAccountName']) || 'default',
    nodeName: textOf(pod.spec['nodeName']),
    containers: [...spec.containers, ...(spec.initContainers ?? [])],
  };
  const context: PodContext = {
    source,
    security: spec.securityContext,
    volumes: new Set(spec.volumes?.map(({ name }) => name)),
    seen: ignored,
  };
  const containers = spec.containers.map((container, index) =>
    mapContainer(context, container, `spec.containers[${index}]`),
  );
  const initContainers = (spec.initContainers ?? []).map((container, index) =>
    mapInitContainer(context, container, `spec.initContainers[${index}]`),
  );
  const readableByAll = spec.securityContext?.fsGroup !== undefined;
  const volumes = (spec.volumes ?? []).map((volume, index) =>
    volumeSpec(source, volume, readableByAll, `spec.volumes[${index}]`),
  );
  const size = groupSize({
    spec,
    containers,
    initContainers,
    useSpecs: steering.useSpecs,
    extraStorageGiB: steering.extraStorageGiB,
    region: resolved.profile.region,
    spot: steering.spot !== undefined,
  });
  const dns = dnsOf(spec, pod.namespace, resolved.dns, ignored);
  const resourceGroupId = steering.resourceGroupId ?? resolved.profile.resourceGroupId;
  const group: ContainerGroupSpec = {
    name: groupName(pod.namespace, pod.name),
    region: resolved.profile.region || refuse('profile.region', 'is empty; set ECI_REGION of the agent'),
    restartPolicy: restartPolicyOf(spec),
    containers: containers.map((container) => container.spec),
    initContainers: initContainers.map((container) => container.spec),
    volumes,
    securityGroupIds:
      steering.securityGroupIds ?? (resolved.profile.securityGroupId ? [resolved.profile.securityGroupId] : []),
    ...(resourceGroupId && { resourceGroupId }),
    ...(steering.ramRoleName && { ramRoleName: steering.ramRoleName }),
    registryCredentials: registryCredentialsOf(
      sealed,
      source.containers.map(({ image }) => image),
      ignored,
    ),
    ...(dns && { dns }),
    hostAliases: hostAliasesOf(spec, steering.hostAliases),
    hostName: hostNameOf(spec, pod.name),
    ...(spec.terminationGracePeriodSeconds !== undefined && {
      terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
    }),
    ...(spec.activeDeadlineSeconds !== undefined && { activeDeadlineSeconds: spec.activeDeadlineSeconds }),
    ...(spec.shareProcessNamespace && { shareProcessNamespace: true }),
    sysctls: sysctlsOf(spec),
    ...(steering.spot && { spot: steering.spot }),
    ...(steering.scheduleStrategy && { scheduleStrategy: steering.scheduleStrategy }),
    tags: steering.tags,
    ...(steering.maxPendingMinutes !== undefined && { maxPendingMinutes: steering.maxPendingMinutes }),
    ...(size.extraStorageGiB !== undefined && { ephemeralStorageGiB: size.extraStorageGiB }),
    ...(steering.autoMatchImageCache !== undefined && { autoMatchImageCache: steering.autoMatchImageCache }),
    ...(steering.imageSnapshotId && { imageSnapshotId: steering.imageSnapshotId }),
  };
  return { spec: group, need: needOf(accountId, spec, resolved, steering, size.specs), ignored };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function restartPolicyOf(spec: PodSpec): ContainerGroupSpec['restartPolicy'] {
  const policy = spec.restartPolicy ?? 'Always';
  return policy === 'Always' || policy === 'OnFailure' || policy === 'Never'
    ? policy
    : refuse('spec.restartPolicy', 'must be Always, OnFailure or Never');
}

/** No id of the cloud is longer, and what is accepted is stored. */
const LONGEST_SETTING = 256;

function checkProfile(profile: RunPod['resolved']['profile']): void {
  for (const [key, value] of Object.entries(profile))
    for (const setting of Array.isArray(value) ? (value as readonly unknown[]) : [value])
      if (typeof setting === 'string' && setting.length > LONGEST_SETTING)
        refuse(`profile.${key}`, `is longer than ${LONGEST_SETTING} characters`);
}

function checkCounts(spec: PodSpec): void {
  const { containers, initContainers = [], volumes = [] } = spec;
  if (containers.length === 0) refuse('spec.containers', 'is empty');
  for (const [path, list] of [
    ['spec.containers', containers],
    ['spec.initContainers', initContainers],
  ] as const) {
    if (list.length > LIMITS.containers)
      refuse(path, `has ${list.length} entries; ECI takes ${LIMITS.containers} in one group`);
  }
  if (volumes.length > LIMITS.volumes)
    refuse('spec.volumes', `has ${volumes.length} entries; ECI takes ${LIMITS.volumes} in one group`);
  unique(volumes, 'spec.volumes', new Set());
  const names = new Set<string>();
  unique(containers, 'spec.containers', names);
  unique(initContainers, 'spec.initContainers', names);
}

function unique(list: readonly { readonly name: string }[], path: string, names: Set<string>): void {
  list.forEach(({ name }, index) => {
    if (names.has(name)) refuse(`${path}[${index}].name`, 'is used twice');
    names.add(name);
  });
}

function needOf(
  accountId: string,
  spec: PodSpec,
  resolved: RunPod['resolved'],
  steering: Steering,
  specs: readonly string[],
): PlacementNeed {
  const vSwitchIds = steering.vSwitchIds ?? resolved.profile.vSwitchIds.filter((id) => id !== '');
  if (vSwitchIds.length === 0)
    refuse(
      'profile.vSwitchIds',
      'is empty; set ECI_VSWITCH of the agent, or the annotation k8s.aliyun.com/eci-vswitch',
    );
  if (vSwitchIds.length > LIMITS.vSwitches)
    refuse('profile.vSwitchIds', `names ${vSwitchIds.length}; ECI takes ${LIMITS.vSwitches} for one group`);
  return {
    accountId,
    region: resolved.profile.region,
    vSwitches: vSwitchIds.map((vSwitchId) => ({ vSwitchId })),
    scheduleStrategy: steering.scheduleStrategy ?? 'default',
    specs,
    chargeType: steering.spot ? 'spot' : 'on-demand',
    spotFallback: steering.spotFallback,
    failStrategy: steering.failStrategy,
    priority: spec.priority ?? 0,
  };
}
