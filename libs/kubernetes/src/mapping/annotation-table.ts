/**
 * Which annotations of ECI are understood, which are ignored on purpose and which refuse the pod. The rule: what would change where, how large,
 * how reachable or how protected a pod runs is mapped or refused; what only informs is ignored. Source of the names: ECI docs, pod annotations page.
 */
import type { FieldUse } from './fields/field.ts';

export const PREFIX = 'k8s.aliyun.com/';

interface Row {
  readonly use: FieldUse;
  readonly note: string;
}
const mapped = (note: string): Row => ({ use: 'mapped', note });
const ignored = (note: string): Row => ({ use: 'ignored', note });
const refused = (note: string): Row => ({ use: 'refused', note });

const writtenBack = ignored('Written by the system; has no meaning for a new pod.');
const address = refused('addresses and bandwidth of the pod are not supported yet; remove it');
const cache = refused('is not supported yet; k8s.aliyun.com/eci-auto-imc or eci-imc-id can speed up image pulls');
const dataCache = refused('data caches are not supported yet; remove it');
const registry = refused('password-less and insecure registries are not supported yet; use imagePullSecrets');
const choice = refused('is not supported yet; name the types themselves in k8s.aliyun.com/eci-use-specs');

/** Full names. Annotations of other families concern nobody here and are not looked at. */
export const ANNOTATIONS: Readonly<Record<string, Row>> = {
  'k8s.aliyun.com/eci-vswitch': mapped('vSwitches, at most 10, separated by commas; instead of the profile’s.'),
  'k8s.aliyun.com/eci-security-group': mapped(
    'Security groups, at most 5, separated by commas; instead of the profile’s.',
  ),
  'k8s.aliyun.com/eci-resource-group-id': mapped('Instead of the profile’s.'),
  'k8s.aliyun.com/eci-schedule-strategy': mapped(
    'VSwitchOrdered keeps the order of the vSwitches; VSwitchRandom leaves it open.',
  ),
  'k8s.aliyun.com/eci-use-specs': mapped(
    'Sizes (2-4Gi) and instance types in order of preference; replaces the calculation.',
  ),
  'k8s.aliyun.com/eci-instance-type': mapped('Old form of eci-use-specs.'),
  'k8s.aliyun.com/eci-fail-strategy': mapped('fail-back (fail-over is the same) or fail-fast.'),
  'k8s.aliyun.com/pod-fail-on-create-err': mapped('Old form: true is fail-fast.'),
  'k8s.aliyun.com/eci-reschedule-enable': mapped('Old form: true is fail-back, false is fail-fast.'),
  'k8s.aliyun.com/eci-spot-strategy': mapped('NoSpot, SpotAsPriceGo or SpotWithPriceLimit.'),
  'k8s.aliyun.com/eci-spot-price-limit': mapped('Per hour, at most 3 decimals; with SpotWithPriceLimit.'),
  'k8s.aliyun.com/eci-spot-duration': mapped('Hours of protection, 0 to 6.'),
  'k8s.aliyun.com/eci-spot-fallback': mapped('true: on-demand when spot is not to be had.'),
  'k8s.aliyun.com/eci-custom-tags': mapped('At most 3 tags, key:value separated by commas.'),
  'k8s.aliyun.com/eci-custom-hosts': mapped('JSON list of {"host", "ip"} for /etc/hosts.'),
  'k8s.aliyun.com/eci-ram-role-name': mapped('RAM role of the group.'),
  'k8s.aliyun.com/eci-max-pending-minute': mapped('10 to 1440.'),
  'k8s.aliyun.com/eci-extra-ephemeral-storage': mapped('Such as 50Gi, beyond the included 30 GiB; at most 5000Gi.'),
  'k8s.aliyun.com/eci-auto-imc': mapped('true: ECI finds a matching image cache.'),
  'k8s.aliyun.com/eci-image-cache': mapped('Old form of eci-auto-imc.'),
  'k8s.aliyun.com/eci-imc-id': mapped('A certain image cache.'),
  'k8s.aliyun.com/eci-image-snapshot-id': mapped('Old form of eci-imc-id.'),

  'k8s.aliyun.com/eci-request-id': writtenBack,
  'k8s.aliyun.com/eci-instance-id': writtenBack,
  'k8s.aliyun.com/eci-instance-spec': writtenBack,
  'k8s.aliyun.com/eci-instance-zone': writtenBack,
  'k8s.aliyun.com/eci-instance-compute-category': writtenBack,
  'k8s.aliyun.com/allocated-eipInstanceId': writtenBack,
  'k8s.aliyun.com/allocated-eipAddress': writtenBack,
  'k8s.aliyun.com/allocated-ipv6Address': writtenBack,
  'k8s.aliyun.com/eni-instance-id': writtenBack,
  'k8s.aliyun.com/eci-vpc': writtenBack,
  'k8s.aliyun.com/eci-matched-image-cache': writtenBack,
  'k8s.aliyun.com/eci-created-by-template': writtenBack,
  'k8s.aliyun.com/eci-schedule-result': writtenBack,
  'k8s.aliyun.com/eci-kube-proxy-enabled': ignored('The profile’s enableClusterIp decides.'),
  'k8s.aliyun.com/imc-perfect-match': ignored('Only makes pulls faster or slower.'),
  'k8s.aliyun.com/imc-match-count-request': ignored('Only makes pulls faster or slower.'),

  'k8s.aliyun.com/eci-instance-family': choice,
  'k8s.aliyun.com/eci-instance-generation': choice,
  'k8s.aliyun.com/eci-compute-category': choice,
  'k8s.aliyun.com/eci-gpu-type': choice,
  'k8s.aliyun.com/eci-gpu-driver-version': refused('GPU drivers cannot be chosen yet; remove it'),
  'k8s.aliyun.com/eci-cpu-option-core': refused('CPU options are not supported yet; remove it'),
  'k8s.aliyun.com/eci-cpu-option-ht': refused('CPU options are not supported yet; remove it'),
  'k8s.aliyun.com/eci-spot-release-strategy': refused('eviction before a spot release is not supported yet; remove it'),
  'k8s.aliyun.com/eci-privatepool-matchcriteria': refused('private pools are not supported; remove it'),
  'k8s.aliyun.com/eci-privatepool-id': refused('private pools are not supported; remove it'),
  'k8s.aliyun.com/eci-custom-dnsconfig': refused('is not supported; use spec.dnsConfig'),
  'k8s.aliyun.com/image-accelerate-mode': cache,
  'k8s.aliyun.com/acr-instance-ids': registry,
  'k8s.aliyun.com/acr-instance-id': registry,
  'k8s.aliyun.com/acr-service-arns': registry,
  'k8s.aliyun.com/acr-user-arns': registry,
  'k8s.aliyun.com/plain-http-registry': registry,
  'k8s.aliyun.com/insecure-registry': registry,
  'k8s.aliyun.com/eci-data-cache-bucket': dataCache,
  'k8s.aliyun.com/eci-data-cache-pl': dataCache,
  'k8s.aliyun.com/eci-data-cache-provisionedIops': dataCache,
  'k8s.aliyun.com/eci-data-cache-burstingEnabled': dataCache,
  'k8s.aliyun.com/eci-eip-instanceid': address,
  'k8s.aliyun.com/eci-with-eip': address,
  'k8s.aliyun.com/pod-with-eip': address,
  'k8s.aliyun.com/eip-bandwidth': address,
  'k8s.aliyun.com/eip-common-bandwidth-package-id': address,
  'k8s.aliyun.com/eip-isp': address,
  'k8s.aliyun.com/eip-internet-charge-type': address,
  'k8s.aliyun.com/eip-public-ip-address-pool-id': address,
  'k8s.aliyun.com/eci-enable-ipv6': address,
  'k8s.aliyun.com/eci-ipv6-count': address,
  'k8s.aliyun.com/eci-ipv6-bandwidth-enable': address,
  'k8s.aliyun.com/eci-ipv6-bandwidth': address,
  'k8s.aliyun.com/eci-private-ip-address': address,
  'k8s.aliyun.com/eci-fixed-ip': address,
  'k8s.aliyun.com/eci-fixed-ip-retain-hour': address,
  'kubernetes.io/ingress-bandwidth': address,
  'kubernetes.io/egress-bandwidth': address,
  'k8s.aliyun.com/eci-ephemeral-storage-options': refused(
    'encrypted temporary storage is not supported yet; remove it',
  ),
  'k8s.aliyun.com/eci-set-diskvolume': refused(
    'disks in place of an emptyDir are not supported yet; use eci-extra-ephemeral-storage',
  ),
  'k8s.aliyun.com/eci-eviction-enable': refused('eviction for full temporary storage is not supported yet; remove it'),
  'k8s.aliyun.com/eci-ntp-server': refused('time servers cannot be chosen yet; remove it'),
  'k8s.aliyun.com/eci-core-pattern': refused('core dumps are not supported yet; remove it'),
  'k8s.aliyun.com/eci-sls-enable': refused('log collection to SLS is not supported yet; remove it'),
};
