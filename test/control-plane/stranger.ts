import { AlibabaEciClient } from '#libs/eci';
import { DEMO_CREDENTIAL } from '../../services/eci-simulator/src/simulator.ts';
import type { LoopsRig } from './loops-rig.ts';
import { ACCOUNT, CLUSTER, FLEET, REGION, V_SWITCHES } from './names.ts';

/** Vswitches and security groups of the demo world. */
export const PLACES: Readonly<Record<string, { readonly vSwitchIds: string[]; readonly securityGroupId: string }>> = {
  [REGION]: { vSwitchIds: V_SWITCHES, securityGroupId: 'sg-demo' },
  'cn-beijing': { vSwitchIds: ['vsw-demo-beijing-f'], securityGroupId: 'sg-demo-beijing' },
};

/** Makes a group beside us, as a process that was paused for long would, or another fleet; answers its id. */
export async function makeStrangersGroup(
  rig: LoopsRig,
  podUid: string,
  attempt: number,
  over: { readonly fleet?: string; readonly clusterId?: string; readonly region?: string } = {},
): Promise<string> {
  const { region = REGION, ...identity } = over;
  const place = PLACES[region]!;
  const client = new AlibabaEciClient({
    accountId: ACCOUNT,
    region,
    endpoint: { host: new URL(rig.simulator.url).host, protocol: 'http' },
    credential: () => Promise.resolve(DEMO_CREDENTIAL),
  });
  const frozen = client.freeze(
    {
      name: 'by-somebody',
      region,
      restartPolicy: 'Always',
      containers: [
        {
          name: 'main',
          image: 'nginx',
          command: [],
          args: [],
          env: [],
          ports: [],
          mounts: [],
          security: { addCapabilities: [] },
        },
      ],
      initContainers: [],
      volumes: [],
      securityGroupIds: [place.securityGroupId],
      registryCredentials: [],
      hostAliases: [],
      sysctls: [],
      tags: {},
    },
    {
      clientToken: `late-${podUid}-${attempt}`,
      vSwitchIds: place.vSwitchIds,
      ordered: true,
      specs: ['2-4Gi'],
      spot: false,
    },
    { fleet: FLEET, clusterId: CLUSTER, podUid, attempt, namespace: 'default', name: 'x', ...identity },
  );
  const outcome = await client.create(frozen);
  if (outcome.kind !== 'done') throw new Error(JSON.stringify(outcome));
  return outcome.containerGroupId;
}
