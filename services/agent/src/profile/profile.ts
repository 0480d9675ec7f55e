import { createHash } from 'node:crypto';
import { isStorable, type Profile } from '#libs/contracts';
import { notGiven } from '#libs/runtime';
import { parseSelectors, type Selector } from './selectors.ts';

/** What a profile says: settings for new pods, and selectors for the steering. */
export interface EciProfile {
  readonly profile: Profile;
  /** Changes exactly when the settings change. */
  readonly revision: string;
  readonly selectors: readonly Selector[];
}

type ParsedProfile =
  { readonly ok: true; readonly value: EciProfile } | { readonly ok: false; readonly faults: readonly string[] };

/** First spelling that is given; the later ones are of older components (ECI docs, eci-profile page and its predecessors). */
const SPELLINGS = {
  vpcId: ['vpcId', 'vpc'],
  vSwitchIds: ['vSwitchIds', 'vswitchIds', 'vswitch'],
  securityGroupId: ['securityGroupId', 'securitygroup'],
  resourceGroupId: ['resourceGroupId', 'resourcegroup'],
  enableClusterIp: ['enableClusterIp', 'kube-proxy'],
} as const;

/** No id of the cloud is longer. */
const LONGEST_ID = 256;

/**
 * The profile in force: the ConfigMap `kube-system/eci-profile` over the agent's environment, key by key. A faulty ConfigMap is refused as a
 * whole, so that half of a change is never applied. `data` absent = there is no ConfigMap.
 */
export function parseProfile(environment: Profile, data: Readonly<Record<string, string>> | undefined): ParsedProfile {
  const faults: string[] = [];
  const of = (setting: keyof typeof SPELLINGS): { key: string; value: string } | undefined => {
    const key = SPELLINGS[setting].find((spelling) => (data?.[spelling] ?? '').trim() !== '');
    return key === undefined ? undefined : { key, value: data![key]!.trim() };
  };

  const vpcId = of('vpcId')?.value ?? environment.vpcId;
  const securityGroupId = of('securityGroupId')?.value ?? environment.securityGroupId;
  const resourceGroupId = of('resourceGroupId')?.value ?? environment.resourceGroupId;

  const ids = Object.entries({ vpcId, securityGroupId, resourceGroupId });

  let vSwitchIds = environment.vSwitchIds;
  const switches = of('vSwitchIds');
  if (switches) {
    vSwitchIds = switches.value.split(',').map((id) => id.trim());
    if (vSwitchIds.some((id) => id === '' || /\s/.test(id))) {
      faults.push(`${switches.key}: must be vSwitch ids separated by commas${notGiven(switches.value)}`);
    } else if (vSwitchIds.length > 10) {
      faults.push(`${switches.key}: has ${vSwitchIds.length} vSwitches, ECI takes at most 10`);
    }
  }

  let enableClusterIp = environment.enableClusterIp;
  const clusterIp = of('enableClusterIp');
  if (clusterIp) {
    if (clusterIp.value === 'true' || clusterIp.value === 'false') enableClusterIp = clusterIp.value === 'true';
    else faults.push(`${clusterIp.key}: must be "true" or "false"${notGiven(clusterIp.value)}`);
  }

  for (const setting of Object.keys(SPELLINGS) as (keyof typeof SPELLINGS)[]) {
    const given = of(setting);
    if (given && !isStorable(given.value)) faults.push(`${given.key}: holds U+0000 or half of a surrogate pair`);
  }
  for (const [setting, id] of [...vSwitchIds.map((id) => ['vSwitchIds', id]), ...ids])
    if (id !== undefined && id.length > LONGEST_ID) faults.push(`${setting}: is longer than ${LONGEST_ID} characters`);

  const selectors = parseSelectors(data?.selectors);
  if (!selectors.ok) faults.push(...selectors.faults);
  if (faults.length > 0 || !selectors.ok) return { ok: false, faults };

  const profile: Profile = {
    region: environment.region,
    ...(vpcId === undefined ? {} : { vpcId }),
    vSwitchIds,
    ...(securityGroupId === undefined ? {} : { securityGroupId }),
    ...(resourceGroupId === undefined ? {} : { resourceGroupId }),
    enableClusterIp,
  };
  return { ok: true, value: { profile, revision: revisionOf(profile), selectors: selectors.value } };
}

function revisionOf(profile: Profile): string {
  const sorted = Object.fromEntries(Object.entries(profile).sort(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}
