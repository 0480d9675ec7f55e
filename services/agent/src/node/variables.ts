import { port, section, type Variables } from '#libs/configuration';
import { z } from 'zod';
import { ipAddress, nameOfObject } from '../config/texts.ts';

interface NodeSettings {
  readonly nodeName: string;
  readonly nodeAddress: string;
  readonly kubeletPort: number;
  readonly taint: { readonly key: string; readonly value: string; readonly effect: string };
  readonly quota: { readonly cpu: string; readonly memory: string; readonly pods: string };
  readonly alibabaClusterId?: string | undefined;
}

export const node = section({
  variables: {
    NODE_NAME: { meaning: 'name of the virtual node', default: 'virtual-kubelet', schema: nameOfObject },
    NODE_ADDRESS: {
      meaning: 'InternalIP of the node: where the API server reaches the agent',
      default: '127.0.0.1',
      schema: ipAddress,
    },
    KUBELET_PORT: { meaning: 'port of the kubelet API that the node announces', default: '10250', schema: port },
    VKUBELET_TAINT_KEY: { meaning: 'key of the node’s taint', default: 'virtual-kubelet.io/provider' },
    VKUBELET_TAINT_VALUE: { meaning: 'its value', default: 'alibabacloud' },
    VKUBELET_TAINT_EFFECT: {
      meaning: 'its effect: NoSchedule, PreferNoSchedule or NoExecute',
      default: 'NoSchedule',
      schema: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
    },
    ECI_QUOTA_CPU: {
      meaning: 'capacity of the node, cores',
      default: '192000',
      schema: z.string().regex(/^\d+m?$/, 'must be a number of cores'),
    },
    ECI_QUOTA_MEMORY: {
      meaning: 'capacity of the node, quantity',
      default: '640Ti',
      schema: z.string().regex(/^\d+(\.\d+)?([KMGTPE]i?|k)?$/, 'must be a quantity such as 640Ti'),
    },
    ECI_QUOTA_POD: {
      meaning: 'capacity of the node, pods',
      default: '4000',
      schema: z.string().regex(/^\d+$/, 'must be a whole number'),
    },
    ALIYUN_CLUSTERID: { meaning: 'id of the cluster at Alibaba Cloud; a label of the node' },
  } as const satisfies Variables,
  settings: (v): NodeSettings => ({
    nodeName: v.NODE_NAME,
    nodeAddress: v.NODE_ADDRESS,
    kubeletPort: v.KUBELET_PORT,
    taint: { key: v.VKUBELET_TAINT_KEY, value: v.VKUBELET_TAINT_VALUE, effect: v.VKUBELET_TAINT_EFFECT },
    quota: { cpu: v.ECI_QUOTA_CPU, memory: v.ECI_QUOTA_MEMORY, pods: v.ECI_QUOTA_POD },
    alibabaClusterId: v.ALIYUN_CLUSTERID,
  }),
});
