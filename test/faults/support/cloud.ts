import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import type eci from '@alicloud/eci20180808';
import type openApiTypes from '@alicloud/openapi-client';
import { ACCESS_KEY, REGION } from './fleet.ts';

// `require`: these packages are CommonJS that claims to be ESM.
const require = createRequire(import.meta.url);
const sdk = require('@alicloud/eci20180808') as typeof eci;
const openApi = require('@alicloud/openapi-client') as typeof openApiTypes;

/** Makes a container group by the bare SDK, as a stranger would; returns its id. */
export async function directCreate(endpoint: string, tags: Readonly<Record<string, string>>): Promise<string> {
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
  const { body } = await client.createContainerGroup(
    new sdk.CreateContainerGroupRequest({
      regionId: REGION,
      containerGroupName: `stranger-${randomUUID().slice(0, 8)}`,
      clientToken: randomUUID(),
      vSwitchId: 'vsw-demo-h',
      securityGroupId: 'sg-demo',
      cpu: 0.5,
      memory: 1,
      tag: Object.entries(tags).map(([key, value]) => new sdk.CreateContainerGroupRequestTag({ key, value })),
      container: [new sdk.CreateContainerGroupRequestContainer({ name: 'web', image: 'nginx', cpu: 0.5, memory: 1 })],
    }),
  );
  return body!.containerGroupId!;
}
