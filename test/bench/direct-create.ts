import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import type eci from '@alicloud/eci20180808';
import type openApiTypes from '@alicloud/openapi-client';
import { ACCESS_KEY, REGION, SECURITY_GROUP, VSWITCHES } from './rig.ts';

// `require`: these packages are CommonJS that claims to be ESM.
const require = createRequire(import.meta.url);
const sdk = require('@alicloud/eci20180808') as typeof eci;
const openApi = require('@alicloud/openapi-client') as typeof openApiTypes;

/** Milliseconds that creates take, one after another, by the bare SDK and nothing of ours. */
export async function directCreates(endpoint: string, count: number): Promise<readonly number[]> {
  const { host, protocol } = new URL(endpoint);
  const client = new sdk.default(
    new openApi.Config({
      accessKeyId: ACCESS_KEY.id,
      accessKeySecret: ACCESS_KEY.secret,
      endpoint: host,
      protocol: protocol.slice(0, -1),
      regionId: REGION,
    }),
  );
  const took: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    await client.createContainerGroup(
      new sdk.CreateContainerGroupRequest({
        regionId: REGION,
        containerGroupName: `direct-${index}`,
        clientToken: randomUUID(),
        vSwitchId: VSWITCHES[0],
        securityGroupId: SECURITY_GROUP,
        cpu: 0.5,
        memory: 1,
        container: [
          new sdk.CreateContainerGroupRequestContainer({ name: 'web', image: 'nginx:1.27', cpu: 0.5, memory: 1 }),
        ],
      }),
    );
    took.push(performance.now() - began);
  }
  return took;
}
