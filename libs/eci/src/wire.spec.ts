import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlibabaEciClient, AlibabaEciClients, type AccessKey, type EciClient } from './index.ts';
import { json, localCloud, type Reply } from './local-cloud.ts';
import { identity, maximalSpec, placement } from './maximal-spec.ts';

const CANARIES = ['env-canary', 'init-env-canary', 'registry-canary', 'ZmlsZS1jYW5hcnk', 'secret-key-canary'];
const empty = { RequestId: 'R', ContainerGroups: [], TotalCount: 0, NextToken: '' };
const group = (id: string, more: object = {}) => ({ ContainerGroupId: id, Status: 'Running', ...more });

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

describe('when the cloud does not answer as it should', () => {
  const quick = (url = cloud.url) =>
    new AlibabaEciClient({
      accountId: 'acc',
      region: 'cn-hangzhou',
      endpoint: { host: new URL(url).host, protocol: 'http' },
      credential: () => Promise.resolve(key),
      timeoutMs: 250,
    });
  const echo: Reply = (response, request) =>
    json({ RequestId: 'R', Code: 'InvalidParameter', Message: `bad ${decodeURIComponent(request.url ?? '')}` }, 400)(
      response,
      request,
    );
  const echoSecrets: Reply = (response, request) => {
    const sent = [...new URL(request.url ?? '', 'http://x').searchParams];
    const secrets = sent
      .filter(([name]) => /(EnvironmentVar.*Value|Password|Content)$/.test(name))
      .map(([, value]) => value);
    expect(secrets.join()).toContain('registry-canary');
    json({ RequestId: 'R', Code: 'InvalidParameter', Message: `bad ${secrets.join(' | ')}` }, 400)(response, request);
  };

  const faults: [string, Reply, object][] = [
    ['silence', () => undefined, { kind: 'unknown', reason: 'no answer within the timeout' }],
    [
      'a reset',
      (_response, request) => request.socket.resetAndDestroy(),
      { kind: 'unknown', reason: 'no answer: ECONNRESET' },
    ],
    [
      'a hang-up',
      (_response, request) => request.socket.destroy(),
      { kind: 'unknown', reason: 'no answer: ECONNRESET' },
    ],
    [
      'half an answer',
      (response, request) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{"Req');
        setImmediate(() => request.socket.destroy());
      },
      { kind: 'unknown' },
    ],
    [
      'HTML with 503',
      (response) => response.writeHead(503, { 'content-type': 'text/html' }).end('<html>busy</html>'),
      { kind: 'unknown', reason: 'the answer is not JSON' },
    ],
    [
      'nothing with 500',
      (response) => response.writeHead(500).end(),
      { kind: 'unknown', reason: 'the answer is not JSON' },
    ],
    [
      'nothing with 200',
      (response) => response.writeHead(200).end(),
      { kind: 'unknown', reason: 'the answer is not JSON' },
    ],
    ['null with 200', json(null), { kind: 'unknown' }],
    ['a list with 200', json([]), { kind: 'unknown' }],
    ['JSON without a code', json({ message: 'proxy says no' }, 403), { kind: 'unknown' }],
    ['200 with an error inside', json({ Code: 'InternalError', RequestId: 'R' }), { kind: 'unknown' }],
    ['the request in its message', echo, { kind: 'refused', code: 'InvalidParameter' }],
    ['values of the request in its message', echoSecrets, { kind: 'refused', code: 'InvalidParameter' }],
    [
      'a refusal',
      json({ Code: 'OperationDenied.NoStock', Message: 'sold out', RequestId: 'R9' }, 403),
      { kind: 'refused', code: 'OperationDenied.NoStock', class: 'STOCK_OUT', message: 'sold out', requestId: 'R9' },
    ],
    [
      'throttling',
      json({ Code: 'Throttling.User', Message: 'slow down', RequestId: 'R' }, 400),
      { kind: 'retry', throttled: true },
    ],
  ];

  it.each(faults)('create survives %s', async (_name, reply, expected) => {
    cloud.will(reply);
    const quickClient = quick();
    const outcome = await quickClient.create(quickClient.freeze(maximalSpec, placement, identity));
    expect(outcome).toMatchObject(expected);
    const said = JSON.stringify(outcome);
    for (const canary of [...CANARIES, 'LTAI-key-id', 'VSwitchId=', '127.0.0.1']) expect(said).not.toContain(canary);
    expect(cloud.seen).toHaveLength(1);
  });

  it.each(faults.slice(0, 11))('no list, change or description is made up of %s', async (name, reply) => {
    cloud.will(reply, reply, reply, reply);
    const quickClient = quick();
    const answers = [
      await quickClient.list({ fleet: 'f' }),
      await quickClient.changes({ fleet: 'f' }, 60),
      await quickClient.describe(['eci-1']),
    ];
    const deleted = await quickClient.delete('eci-1');
    // The SDK does not show what a 200 really said; a delete that was accepted proves nothing anyway.
    if (!name.startsWith('200')) answers.push(deleted as (typeof answers)[number]);
    expect(answers.map((answer) => answer.kind)).not.toContain('done');
    expect(JSON.stringify(answers)).not.toContain('127.0.0.1');
    expect(cloud.seen).toHaveLength(4);
  });

  it('a refused connection was never sent', async () => {
    const gone = await localCloud();
    await gone.close();
    const away = quick(gone.url);
    expect(await away.create(away.freeze(maximalSpec, placement, identity))).toEqual({
      kind: 'retry',
      reason: 'no answer: ECONNREFUSED',
    });
    expect(await away.list({ fleet: 'f' })).toEqual({ kind: 'unknown', reason: 'no answer: ECONNREFUSED' });
  });

  it('a credential that cannot be had was never sent', async () => {
    const keyless = new AlibabaEciClient({
      accountId: 'acc',
      region: 'cn-hangzhou',
      endpoint: { host: '127.0.0.1:1', protocol: 'http' },
      credential: () => Promise.reject(new Error('sts https://sts/?Signature=canary')),
    });
    const outcome = await keyless.create(keyless.freeze(maximalSpec, placement, identity));
    expect(outcome).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/^no credential: /) as string });
    expect(JSON.stringify(outcome)).not.toContain('canary');
  });

  it('answers whose types are wrong are unknown, never a crash', async () => {
    cloud.will(
      json({ RequestId: 'R', ContainerGroups: [group('a', { Cpu: 'many' })] }),
      json({ RequestId: 'R', ContainerGroups: { a: 1 } }),
      json({ RequestId: 'R', ContainerGroups: [{ Status: 'Running' }] }),
      json({ RequestId: 'R', Data: [{ Status: 'Running' }] }),
      json({ RequestId: 'R', TotalCount: 3 }),
    );
    expect(await client.list({ fleet: 'f' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/schema/) as string,
    });
    expect(await client.list({ fleet: 'f' })).toMatchObject({ kind: 'unknown' });
    expect(await client.list({ fleet: 'f' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/without an id/) as string,
    });
    expect(await client.changes({ fleet: 'f' }, 60)).toMatchObject({ kind: 'unknown' });
    expect(await client.list({ fleet: 'f' })).toMatchObject({
      kind: 'unknown',
      reason: expect.stringMatching(/without a list/) as string,
    });
  });
});

describe('reading', () => {
  it('lists by tag, 20 a page, and is complete only without a next token', async () => {
    cloud.will(
      json({ ...empty, ContainerGroups: [group('a')], NextToken: 'n1', TotalCount: 2 }),
      // A page may be empty and still not be the last.
      json({ ...empty, NextToken: 'n2', TotalCount: 2 }),
      json(empty),
    );
    const filter = { fleet: 'eci-fleet', clusterId: 'c1', podUid: 'u', attempt: 3 };
    const first = await client.list(filter);
    expect(first).toMatchObject({
      kind: 'done',
      value: { groups: [{ snapshot: { containerGroupId: 'a' } }], next: 'n1' },
    });
    expect(await client.list(filter, 'n1')).toMatchObject({ kind: 'done', value: { groups: [], next: 'n2' } });
    expect(await client.list(filter, 'n2')).toEqual({ kind: 'done', value: { groups: [] }, requestId: 'R' });
    expect(Object.fromEntries(cloud.seen[1]?.query ?? [])).toEqual({
      RegionId: 'cn-hangzhou',
      Limit: '20',
      WithEvent: 'true',
      NextToken: 'n1',
      'Tag.1.Key': 'eci-fleet',
      'Tag.1.Value': 'eci-fleet',
      'Tag.2.Key': 'eci-fleet-cluster',
      'Tag.2.Value': 'c1',
      'Tag.3.Key': 'eci-fleet-pod-uid',
      'Tag.3.Value': 'u',
      'Tag.4.Key': 'eci-fleet-attempt',
      'Tag.4.Value': '3',
    });
    expect(cloud.seen[0]?.headers['x-acs-action']).toBe('DescribeContainerGroups');
  });

  it('describes up to 20 ids with all pages, and asks for nothing without ids', async () => {
    cloud.will(
      json({ ...empty, ContainerGroups: [group('a')], NextToken: 'n' }),
      json({ ...empty, ContainerGroups: [group('b')] }),
    );
    const answer = await client.describe(['a', 'b', 'gone']);
    expect(answer).toMatchObject({
      kind: 'done',
      value: [{ snapshot: { containerGroupId: 'a' } }, { snapshot: { containerGroupId: 'b' } }],
    });
    expect(cloud.seen[0]?.query.get('ContainerGroupIds')).toBe('["a","b","gone"]');
    expect(await client.describe([])).toEqual({ kind: 'done', value: [], requestId: '' });
    expect(cloud.seen).toHaveLength(2);
    await expect(client.describe(Array.from({ length: 21 }, String))).rejects.toThrow(/at most 20 ids, not 21/);
  });

  it('does not turn a page for ever', async () => {
    cloud.will(json({ ...empty, NextToken: 'n' }), json({ ...empty, NextToken: 'n' }));
    expect(await client.describe(['a'])).toEqual({ kind: 'unknown', reason: 'the cloud repeats a page' });
  });

  it('reads details: landing, sizes, containers, init containers, events and identity', async () => {
    cloud.will(
      json({
        ...empty,
        ContainerGroups: [
          group('eci-1', {
            ContainerGroupName: 'ns-pod',
            ZoneId: 'cn-hangzhou-i',
            VSwitchId: 'vsw-a',
            InstanceType: '',
            Cpu: 2,
            Memory: 4,
            IntranetIp: '10.0.0.5',
            CreationTime: '2026-01-01T00:00:00Z',
            SucceededTime: '',
            FailedTime: '2026-01-01T01:00:00Z',
            Status: 'Failed',
            Tags: [
              { Key: 'eci-fleet', Value: 'f' },
              { Key: 'eci-fleet-cluster', Value: 'c1' },
              { Key: 'eci-fleet-pod-uid', Value: 'u1' },
              { Key: 'eci-fleet-attempt', Value: '2' },
            ],
            Containers: [
              {
                Name: 'app',
                Image: 'i:1',
                Ready: false,
                RestartCount: '3',
                CurrentState: {
                  State: 'Terminated',
                  ExitCode: 1,
                  Signal: 0,
                  Reason: 'Error',
                  Message: 'm',
                  StartTime: 's',
                  FinishTime: 'f',
                },
                PreviousState: { State: 'Waiting', DetailStatus: 'CrashLoopBackOff' },
              },
              {
                Name: 'side',
                Image: 'i:2',
                Ready: true,
                CurrentState: { State: 'Running', StartTime: 's' },
                PreviousState: {},
              },
              { Name: 'odd', Image: 'i:3', CurrentState: { State: 'Terminated' } },
            ],
            InitContainers: [
              { Name: 'init', Image: 'i:0', Ready: true, CurrentState: { State: 'Terminated', ExitCode: 0 } },
            ],
            Events: [
              {
                Type: 'Warning',
                Reason: 'BackOff',
                Message: 'again',
                Count: 4,
                FirstTimestamp: 'a',
                LastTimestamp: 'b',
              },
            ],
          }),
        ],
      }),
    );
    const answer = await client.list({ fleet: 'f' });
    expect(answer).toMatchObject({ kind: 'done' });
    if (answer.kind !== 'done') return;
    expect(answer.value.groups).toEqual([
      {
        identity: { fleet: 'f', clusterId: 'c1', podUid: 'u1', attempt: 2 },
        snapshot: {
          containerGroupId: 'eci-1',
          status: 'Failed',
          attempt: 2,
          zone: 'cn-hangzhou-i',
          vSwitchId: 'vsw-a',
          spec: '2-4Gi',
          cpu: 2,
          memoryGiB: 4,
          podIp: '10.0.0.5',
          createdAt: '2026-01-01T00:00:00Z',
          finishedAt: '2026-01-01T01:00:00Z',
          containers: [
            {
              name: 'app',
              image: 'i:1',
              ready: false,
              started: false,
              restartCount: 3,
              state: {
                state: 'terminated',
                exitCode: 1,
                reason: 'Error',
                message: 'm',
                startedAt: 's',
                finishedAt: 'f',
              },
              lastState: { state: 'waiting', reason: 'CrashLoopBackOff' },
            },
            {
              name: 'side',
              image: 'i:2',
              ready: true,
              started: true,
              restartCount: 0,
              state: { state: 'running', startedAt: 's' },
            },
            {
              name: 'odd',
              image: 'i:3',
              ready: false,
              started: false,
              restartCount: 0,
              state: { state: 'terminated', exitCode: 137, reason: 'ContainerStatusUnknown' },
            },
          ],
          initContainers: [
            {
              name: 'init',
              image: 'i:0',
              ready: true,
              started: false,
              restartCount: 0,
              state: { state: 'terminated', exitCode: 0, reason: 'Completed' },
            },
          ],
          cloudEvents: [
            { type: 'Warning', reason: 'BackOff', message: 'again', count: 4, firstTimestamp: 'a', lastTimestamp: 'b' },
          ],
        },
      },
    ]);
  });

  it('reads changes with the odd spellings of the status action', async () => {
    cloud.will(
      json({
        RequestId: 'R',
        NextToken: 'n',
        TotalCount: 2,
        Data: [
          {
            ContainerGroupId: 'eci-1',
            Status: 'Running',
            uuid: 'u1',
            Annotations: '{"a":"b"}',
            PodStatus: {
              Phase: 'Running',
              PodIp: '10.0.0.5',
              StartTime: 't0',
              Conditions: [
                { type: 'Ready', status: 'True', lastTransitionTime: 't1', Reason: 'r', Message: 'm' },
                { type: 'ContainerInstanceCreated', status: 'odd' },
              ],
              ContainerStatuses: [
                {
                  Name: 'a',
                  Image: 'i',
                  ImageID: 'sha256:1',
                  Ready: true,
                  Started: true,
                  RestartCount: 1,
                  State: { Running: { StartedAtstartedAt: 't2' } },
                  LastState: {
                    Terminated: {
                      ContainerID: 'containerd://1',
                      ExitCode: 137,
                      Signal: 9,
                      Reason: 'OOMKilled',
                      StartedAt: 's',
                      FinishedAt: 'f',
                    },
                  },
                },
                {
                  Name: 'b',
                  Image: 'i',
                  Ready: false,
                  RestartCount: 0,
                  State: { Waiting: { Reason: 'ImagePullBackOff', Message: 'no' } },
                  LastState: {},
                },
              ],
            },
          },
          { ContainerGroupId: 'eci-2', Status: 'BrandNew' },
        ],
      }),
    );
    const answer = await client.changes({ fleet: 'f' }, 7);
    expect(answer).toEqual({
      kind: 'done',
      requestId: 'R',
      value: {
        next: 'n',
        groups: [
          {
            containerGroupId: 'eci-1',
            status: 'Running',
            podIp: '10.0.0.5',
            startedAt: 't0',
            conditions: [
              { type: 'Ready', status: 'True', reason: 'r', message: 'm', lastTransitionTime: 't1' },
              { type: 'ContainerInstanceCreated', status: 'Unknown' },
            ],
            containers: [
              {
                name: 'a',
                image: 'i',
                imageId: 'sha256:1',
                ready: true,
                started: true,
                restartCount: 1,
                state: { state: 'running', startedAt: 't2' },
                lastState: {
                  state: 'terminated',
                  exitCode: 137,
                  signal: 9,
                  reason: 'OOMKilled',
                  startedAt: 's',
                  finishedAt: 'f',
                  containerId: 'containerd://1',
                },
              },
              {
                name: 'b',
                image: 'i',
                ready: false,
                started: false,
                restartCount: 0,
                state: { state: 'waiting', reason: 'ImagePullBackOff', message: 'no' },
              },
            ],
          },
          { containerGroupId: 'eci-2', status: 'Unknown' },
        ],
      },
    });
    expect(cloud.seen[0]?.headers['x-acs-action']).toBe('DescribeContainerGroupStatus');
    expect(Object.fromEntries(cloud.seen[0]?.query ?? [])).toMatchObject({ Limit: '200', SinceSecond: '60' });
    await expect(client.changes({ fleet: 'f' }, 3_601)).rejects.toThrow(/list instead/);
  });

  it('deletes, with force as a parameter that the SDK does not know', async () => {
    cloud.will(json({ RequestId: 'R1' }), json({ RequestId: 'R2' }));
    expect(await client.delete('eci-1')).toEqual({ kind: 'done', requestId: 'R1' });
    expect(await client.delete('eci-1', { force: true })).toEqual({ kind: 'done', requestId: 'R2' });
    expect(cloud.seen.map((request) => request.query.get('Force'))).toEqual([undefined, 'true']);
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
