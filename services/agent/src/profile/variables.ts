import { flag, list, section, type Variables } from '#libs/configuration';
import type { Profile } from '#libs/contracts';
import { z } from 'zod';

/** Where and how pods run, unless the profile of the cluster says it. */
interface ProfileSettings {
  readonly region: string;
  readonly vpcId?: string | undefined;
  readonly vSwitchIds: readonly string[];
  readonly securityGroupId?: string | undefined;
  readonly resourceGroupId?: string | undefined;
  readonly enableClusterIp: boolean;
}

export const profile = section({
  variables: {
    ECI_REGION: {
      meaning: 'region of the container groups. Required',
      required: 'is required',
      schema: z.string().regex(/^[a-z0-9-]+$/, 'must be a region id such as cn-hangzhou'),
    },
    ECI_VPC: { meaning: 'VPC of the container groups' },
    ECI_VSWITCH: {
      meaning: 'vSwitches, comma separated, at most 10',
      schema: list(z.array(z.string()).max(10, 'at most 10 vSwitches')),
    },
    ECI_SECURITY_GROUP: { meaning: 'security group' },
    ECI_KUBE_PROXY: { meaning: 'pods reach ClusterIP services: true or false', default: 'true', schema: flag },
    ALIYUN_RESOURCEGROUP_ID: { meaning: 'resource group' },
  } as const satisfies Variables,
  settings: (v): ProfileSettings => ({
    region: v.ECI_REGION,
    vpcId: v.ECI_VPC,
    vSwitchIds: v.ECI_VSWITCH ?? [],
    securityGroupId: v.ECI_SECURITY_GROUP,
    resourceGroupId: v.ALIYUN_RESOURCEGROUP_ID,
    enableClusterIp: v.ECI_KUBE_PROXY,
  }),
});

/** The profile that is in force where the ConfigMap of the cluster says nothing. */
export function profileOf(settings: ProfileSettings): Profile {
  const { region, vpcId, vSwitchIds, securityGroupId, resourceGroupId, enableClusterIp } = settings;
  return {
    region,
    ...(vpcId !== undefined && { vpcId }),
    vSwitchIds: [...vSwitchIds],
    ...(securityGroupId !== undefined && { securityGroupId }),
    ...(resourceGroupId !== undefined && { resourceGroupId }),
    enableClusterIp,
  };
}
