import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlibabaEciClients, type AccessKey, type EciClient } from './index.ts';
import { json, localCloud } from '../spec/local-cloud.ts';
import { identity, maximalSpec, placement } from '../spec/maximal-spec.ts';

let cloud: Awaited<ReturnType<typeof localCloud>>;
let key: AccessKey;
let client: EciClient;

beforeAll(async () => {
  cloud = await localCloud();
});
afterAll(() => cloud.close());
beforeEach(async () => {
  cloud.seen.length = 0;
  key = { accessKeyId: 'LTAI-key-id', accessKeySecret: 'secret-key-canary' };
  client = await clients(cloud.url).for('acc', 'cn-hangzhou');
});

const clients = (endpoint: string) =>
  new AlibabaEciClients([{ id: 'acc', credential: () => Promise.resolve(key), endpoint, regions: ['cn-hangzhou'] }]);

/** Every scalar of a value with the name it should have on the wire: first letter upper-case, lists counted from 1. */
function leaves(value: unknown, path = ''): [string, string][] {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object') return [[path, String(value)]];
  const join = (name: string): string => (path ? `${path}.${name}` : name);
  if (Array.isArray(value)) return value.flatMap((item, i) => leaves(item, join(String(i + 1))));
  return Object.entries(value).flatMap(([name, item]) => leaves(item, join(name[0]!.toUpperCase() + name.slice(1))));
}

describe('create on the wire', () => {
  it('sends every leaf of a maximal request under its API name, and nothing else', async () => {
    const frozen = client.freeze(maximalSpec, placement, identity);
    cloud.will(json({ RequestId: 'R1', ContainerGroupId: 'eci-1' }));
    expect(await client.create(frozen)).toEqual({ kind: 'done', containerGroupId: 'eci-1', requestId: 'R1' });
    const { fields, queries } = JSON.parse(frozen.request) as { fields: object; queries: Record<string, string> };
    const expected = new Map([...leaves(fields), ...Object.entries(queries)]);
    expect(cloud.seen[0]?.query).toEqual(expected);
    expect(expected.size).toBeGreaterThan(150);
  });

  it('leaves nothing of a maximal spec behind', async () => {
    cloud.will(json({ RequestId: 'R1', ContainerGroupId: 'eci-1' }));
    await client.create(client.freeze(maximalSpec, placement, identity));
    const sent = new Set([...(cloud.seen[0]?.query.values() ?? [])].flatMap((value) => [value, ...value.split(',')]));
    // What only says which field is meant, and the price, which is rounded to what ECI takes.
    const unsent = /\.Kind$|^Spot\.PriceLimit$/;
    const missing = [...leaves(maximalSpec), ...leaves({ Placement: placement, Identity: identity })].filter(
      ([path, value]) => !unsent.test(path) && value !== 'false' && !sent.has(value),
    );
    expect(missing).toEqual([]);
  });

  it('uses the names that ECI documents', async () => {
    cloud.will(json({ RequestId: 'R1', ContainerGroupId: 'eci-1' }));
    await client.create(client.freeze(maximalSpec, placement, identity));
    const sent = Object.fromEntries(cloud.seen[0]?.query ?? []);
    expect(sent).toMatchObject({
      RegionId: 'cn-hangzhou',
      ContainerGroupName: 'ns-pod',
      ClientToken: 'token-1',
      VSwitchId: 'vsw-b,vsw-a',
      ScheduleStrategy: 'VSwitchOrdered',
      SecurityGroupId: 'sg-1,sg-2',
      InstanceType: '2-4Gi,ecs.c6.large',
      RestartPolicy: 'OnFailure',
      MaxPendingMinute: '77',
      TerminationGracePeriodSeconds: '33',
      ActiveDeadlineSeconds: '3601',
      ShareProcessNamespace: 'true',
      SpotStrategy: 'SpotWithPriceLimit',
      SpotPriceLimit: '0.123',
      SpotDuration: '0',
      DnsPolicy: 'None',
      'DnsConfig.NameServer.1': '10.96.0.10',
      'DnsConfig.Search.2': 'svc.cluster.local',
      'DnsConfig.Option.1.Name': 'ndots',
      'HostAliase.1.Hostname.2': 'h2',
      'SecurityContext.Sysctl.1.Name': 'net.ipv4.ping_group_range',
      'HostSecurityContext.Sysctl.1.Value': '1024',
      'ImageRegistryCredential.1.UserName': 'robot',
      'Tag.1.Key': 'eci-fleet',
      'Tag.4.Value': '2',
      'Tag.7.Key': 'cost-center',
      'Volume.1.EmptyDirVolume.Medium': 'Memory',
      'Volume.2.ConfigFileVolume.ConfigFileToPath.1.Content': 'ZmlsZS1jYW5hcnk=',
      'Volume.2.ConfigFileVolume.ConfigFileToPath.1.Mode': '256',
      'Volume.3.NFSVolume.Server': '10.0.0.9',
      'Container.1.Cpu': '1.5',
      'Container.1.Command.2': '-c',
      'Container.1.Arg.1': "echo 'ä b' && x=1&y=2 ?#%+",
      'Container.1.EnvironmentVar.1.Value': 'env-canary p@ss=1&2?3',
      'Container.1.EnvironmentVar.2.Value': '',
      'Container.1.EnvironmentVar.3.FieldRef.FieldPath': 'status.podIP',
      'Container.1.SecurityContext.Capability.Add.1': 'NET_ADMIN',
      'Container.1.SecurityContextRunAsGroup': '2000',
      'Container.1.SecurityContextRunAsNonRoot': 'true',
      'Container.1.LivenessProbe.HttpGet.Port': '9001',
      'Container.1.ReadinessProbe.Exec.Command.1': 'ready',
      'Container.1.LifecyclePostStartHandlerHttpGetHost': 'start.example',
      'Container.1.LifecyclePreStopHandlerExec.2': '5',
      'Container.2.LifecyclePreStopHandlerTcpSocketPort': '9004',
      'Container.1.VolumeMount.1.MountPropagation': 'HostToContainer',
      'InitContainer.1.SecurityContext.RunAsUser': '1001',
    });
  });

  it('is signed, in both forms of credentials', async () => {
    cloud.will(json({ RequestId: 'R', ContainerGroupId: 'e' }), json({ RequestId: 'R', ContainerGroupId: 'e' }));
    const frozen = client.freeze(maximalSpec, placement, identity);
    await client.create(frozen);
    key = { ...key, securityToken: 'sts-canary' };
    await client.create(frozen);
    const [plain, sts] = cloud.seen;
    expect(plain).toMatchObject({ method: 'POST' });
    expect(plain?.headers).toMatchObject({
      'x-acs-action': 'CreateContainerGroup',
      'x-acs-version': '2018-08-08',
      authorization: expect.stringMatching(
        /^ACS3-HMAC-SHA256 Credential=LTAI-key-id,SignedHeaders=host;[^,]+,Signature=[0-9a-f]{64}$/,
      ) as string,
    });
    expect(sts?.headers).toMatchObject({ 'x-acs-security-token': 'sts-canary' });
    // Whatever the credential: byte for byte the same request.
    expect(sts?.url).toBe(plain?.url);
  });

  it('sends nothing that is damaged or for another account', async () => {
    const frozen = client.freeze(maximalSpec, placement, identity);
    await expect(client.create({ ...frozen, request: `${frozen.request} ` })).rejects.toThrow(/is damaged/);
    await expect(client.create({ ...frozen, accountId: 'other' })).rejects.toThrow(/frozen for other\/cn-hangzhou/);
    expect(cloud.seen).toHaveLength(0);
  });
});

describe('clients', () => {
  it('keeps one for each account and region, and refuses what is not configured', async () => {
    const all = clients(cloud.url);
    expect(await all.for('acc', 'cn-hangzhou')).toBe(await all.for('acc', 'cn-hangzhou'));
    await expect(all.for('other', 'cn-hangzhou')).rejects.toThrow(/account other is not configured/);
    await expect(all.for('acc', 'cn-beijing')).rejects.toThrow(/not for region cn-beijing/);
  });
});
