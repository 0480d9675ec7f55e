import eciModule, {
  CreateContainerGroupRequest,
  DeleteContainerGroupRequest,
  DescribeContainerGroupEventsRequest,
  DescribeContainerGroupsRequest,
  DescribeContainerGroupStatusRequest,
  DescribeRegionsRequest,
  ListUsageRequest,
} from '@alicloud/eci20180808';
import { Config } from '@alicloud/openapi-client';
import { appendFile, copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEMO_CREDENTIAL, type ScenarioInput, type Simulator, startSimulator } from './simulator.ts';

// The package is CommonJS. Its class is the default member for Node and for the types, while the test runner unwraps it.
type ClientClass = typeof eciModule.default;
const Client = ('default' in eciModule ? eciModule.default : eciModule) as ClientClass;

type CreateFields = NonNullable<ConstructorParameters<typeof CreateContainerGroupRequest>[0]>;

interface Sdk {
  create(fields?: CreateFields): Promise<string>;
  remove(id: string): Promise<unknown>;
  groups(fields?: Record<string, unknown>): Promise<{ ids: string[]; next: string; body: Body }>;
  status(fields?: Record<string, unknown>): Promise<Body>;
  events(fields?: Record<string, unknown>): Promise<Body>;
  raw: InstanceType<ClientClass>;
}

/** What the assertions below read of an answer. */
interface Body {
  containerGroups?: { containerGroupId?: string; status?: string; containers?: Shape[]; events?: Shape[] }[];
  data?: Shape[];
  totalCount?: number;
  nextToken?: string;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Shape = any;

function sdk(url: string, changes: Record<string, unknown> = {}): Sdk {
  const config = new Config({
    accessKeyId: DEMO_CREDENTIAL.accessKeyId,
    accessKeySecret: DEMO_CREDENTIAL.accessKeySecret,
    endpoint: url.replace('http://', ''),
    protocol: 'http',
    readTimeout: 5_000,
    connectTimeout: 5_000,
    ...changes,
  });
  const raw = new Client(config as unknown as ConstructorParameters<ClientClass>[0]);
  const regionId = 'cn-hangzhou';
  return {
    raw,
    create: async (fields) => (await raw.createContainerGroup(createRequest(fields))).body!.containerGroupId!,
    remove: (containerGroupId) =>
      raw.deleteContainerGroup(new DeleteContainerGroupRequest({ regionId, containerGroupId })),
    groups: async (fields) => {
      const body = (await raw.describeContainerGroups(new DescribeContainerGroupsRequest({ regionId, ...fields })))
        .body as Body;
      return { ids: body.containerGroups!.map((group) => group.containerGroupId!), next: body.nextToken ?? '', body };
    },
    status: async (fields) =>
      (
        await raw.describeContainerGroupStatus(
          new DescribeContainerGroupStatusRequest({ regionId, limit: 200, ...fields }),
        )
      ).body as Body,
    events: async (fields) =>
      (await raw.describeContainerGroupEvents(new DescribeContainerGroupEventsRequest({ regionId, ...fields })))
        .body as Body,
  };
}

function createRequest(fields: CreateFields = {}): CreateContainerGroupRequest {
  return new CreateContainerGroupRequest({
    regionId: 'cn-hangzhou',
    containerGroupName: 'web',
    vSwitchId: 'vsw-demo-h',
    container: [{ name: 'web', image: 'nginx:1.27' }],
    ...fields,
  });
}

const AT_ONCE: ScenarioInput = {
  seed: 1,
  clock: { stopped: true },
  settings: { buckets: 'unlimited', latencies: { factor: 0, stopMs: 1_000 } },
};

async function failure(
  work: Promise<unknown>,
): Promise<{ code?: string; statusCode?: number; name: string; message: string; data?: Record<string, unknown> }> {
  return work.then(
    () => {
      throw new Error('expected a failure');
    },
    (error: unknown) => error as { name: string; message: string },
  );
}

let simulator: Simulator;
let eci: Sdk;

beforeAll(async () => {
  simulator = await startSimulator({ scenario: AT_ONCE });
  eci = sdk(simulator.url);
});

afterAll(() => simulator.stop());

beforeEach(async () => {
  await simulator.control('POST', '/reset');
});

const advance = (ms: number): Promise<unknown> => simulator.control('PATCH', '/clock', { advanceMs: ms });
const fault = (rule: Record<string, unknown>): Promise<unknown> => simulator.control('POST', '/faults', rule);
const settings = (change: Record<string, unknown>): Promise<unknown> => simulator.control('PATCH', '/settings', change);

describe('a container group over the wire', () => {
  it('is created, runs, is described and deleted', async () => {
    const id = await eci.create({ tag: [{ key: 'eci-fleet', value: 'a' }] });
    expect(id).toMatch(/^eci-bp1[0-9a-f]{17}$/);
    await advance(1);
    const { body } = await eci.groups({ containerGroupIds: JSON.stringify([id]), withEvent: true });
    const group = body.containerGroups![0]!;
    expect(group).toMatchObject({
      status: 'Running',
      zoneId: 'cn-hangzhou-h',
      vSwitchId: 'vsw-demo-h',
      intranetIp: '10.64.0.1',
    });
    expect(group.containers![0].currentState.state).toBe('Running');
    expect(group.events!.map((event) => event.reason)).toEqual(['Pulling', 'Pulled', 'Created', 'Started']);
    const [status] = (await eci.status({ tag: [{ key: 'eci-fleet', value: 'a' }] })).data!;
    expect(status).toMatchObject({ status: 'Running', podStatus: { phase: 'Running', podIp: '10.64.0.1' } });
    expect(status.podStatus.containerStatuses[0].state.running.startedAtstartedAt).toMatch(/Z$/);
    expect((await eci.events()).data![0].events.length).toBe(4);

    await eci.remove(id);
    expect((await eci.groups()).body.containerGroups![0]!.status).toBe('Terminating');
    await advance(1_000);
    expect((await eci.groups({ containerGroupIds: JSON.stringify([id]) })).ids).toEqual([]);
    await eci.remove(id);
    await settings({ deleteOfGone: 'not-found' });
    expect(await failure(eci.remove(id))).toMatchObject({ code: 'InvalidContainerGroupId.NotFound', statusCode: 404 });
  });

  it('takes a URL of 400 KB', async () => {
    const content = Buffer.alloc(30_000, 'x').toString('base64');
    const configFileToPath = Array.from({ length: 10 }, (_, index) => ({ path: `f${index}`, content, mode: 420 }));
    const volume = [{ name: 'files', type: 'ConfigFileVolume', configFileVolume: { configFileToPath } }];
    await eci.create({ volume } as CreateFields);
    expect((await eci.groups()).ids).toHaveLength(1);
  });

  it('answers the small questions', async () => {
    const regions = await eci.raw.describeRegions(new DescribeRegionsRequest({}));
    expect(regions.body!.regions!.map((region) => region.regionId)).toEqual(['cn-hangzhou', 'cn-beijing']);
    await eci.create({ cpu: 2, memory: 4 });
    const usage = await eci.raw.listUsage(new ListUsageRequest({ regionId: 'cn-hangzhou' }));
    expect(usage.body!.attributes).toMatchObject({ UsedCpu: 2 });
  });

  it('pages by 20 and shows every group once', async () => {
    const made: string[] = [];
    for (let number = 0; number < 45; number++) made.push(await eci.create({ clientToken: `t${number}` }));
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await eci.groups({ limit: 20, nextToken });
      expect(page.ids.length).toBeLessThanOrEqual(20);
      expect(page.body.totalCount).toBe(45);
      seen.push(...page.ids);
      nextToken = page.next;
    } while (nextToken);
    expect(seen).toEqual(made);
    expect(await failure(eci.groups({ limit: 21 }))).toMatchObject({ statusCode: 400 });
  });

  it('reports only what changed in the last seconds', async () => {
    const id = await eci.create();
    await advance(1);
    expect((await eci.status({ sinceSecond: 60 })).data!.map((group) => group.containerGroupId)).toEqual([id]);
    expect(await failure(eci.status({ sinceSecond: 59 }))).toMatchObject({ statusCode: 400 });
  });
});

describe('signatures', () => {
  it('refuses a wrong secret, an unknown key and an STS key without its token', async () => {
    await simulator.control('POST', '/credentials', {
      accessKeyId: 'STS.x',
      accessKeySecret: 's',
      securityToken: 'token',
    });
    expect(await failure(sdk(simulator.url, { accessKeySecret: 'other' }).create())).toMatchObject({
      code: 'SignatureDoesNotMatch',
      statusCode: 400,
    });
    expect(await failure(sdk(simulator.url, { accessKeyId: 'nobody' }).create())).toMatchObject({
      code: 'InvalidAccessKeyId.NotFound',
      statusCode: 404,
    });
    expect(await failure(sdk(simulator.url, { accessKeyId: 'STS.x', accessKeySecret: 's' }).create())).toMatchObject({
      code: 'InvalidSecurityToken.Malformed',
    });
    await sdk(simulator.url, { accessKeyId: 'STS.x', accessKeySecret: 's', securityToken: 'token' }).create();
    const { groups } = await simulator.control<{ groups: number }>('GET', '/ledger');
    expect(groups).toBe(1);
  });

  it('verifies what the SDK escapes loosely', async () => {
    const value = `a!b'c(d)e*f~g h+i&j=k/%中`;
    await eci.create({ container: [{ name: 'web', image: 'nginx', environmentVar: [{ key: 'ODD', value }] }] });
    const { body } = await eci.groups();
    expect(body.containerGroups![0]!.containers![0].environmentVars[0].value).toBe(value);
  });

  it('refuses a replayed request', async () => {
    const { createHash, createHmac } = await import('node:crypto');
    const host = simulator.url.slice('http://'.length);
    const headers: Record<string, string> = {
      host,
      'x-acs-action': 'DescribeRegions',
      'x-acs-content-sha256': createHash('sha256').update('').digest('hex'),
      'x-acs-date': `${new Date().toISOString().slice(0, 19)}Z`,
      'x-acs-signature-nonce': 'once',
      'x-acs-version': '2018-08-08',
    };
    const signed = Object.keys(headers).join(';');
    const canonical = [
      'GET',
      '/',
      '',
      Object.entries(headers)
        .map(([name, value]) => `${name}:${value}\n`)
        .join(''),
      signed,
      headers['x-acs-content-sha256'],
    ].join('\n');
    const signature = createHmac('sha256', DEMO_CREDENTIAL.accessKeySecret)
      .update(`ACS3-HMAC-SHA256\n${createHash('sha256').update(canonical).digest('hex')}`)
      .digest('hex');
    const authorization = `ACS3-HMAC-SHA256 Credential=${DEMO_CREDENTIAL.accessKeyId},SignedHeaders=${signed},Signature=${signature}`;
    const { host: _, ...sent } = headers;
    const first = await fetch(`${simulator.url}/`, { headers: { ...sent, authorization } });
    const second = await fetch(`${simulator.url}/`, { headers: { ...sent, authorization } });
    expect(first.status).toBe(200);
    expect(await second.json()).toMatchObject({ Code: 'SignatureNonceUsed' });
  });

  it('can be switched off, and then takes a form and the classic query', async () => {
    await settings({ signatures: 'off' });
    const response = await fetch(`${simulator.url}/?Action=CreateContainerGroup&Version=2018-08-08`, {
      method: 'POST',
      body: new URLSearchParams({
        RegionId: 'cn-hangzhou',
        ContainerGroupName: 'by-form',
        'Container.1.Name': 'a',
        'Container.1.Image': 'nginx',
      }),
    });
    expect(response.status).toBe(200);
    expect((await eci.groups({ containerGroupName: 'by-form' })).ids).toHaveLength(1);
  });
});

describe('client tokens', () => {
  it('gives the same group for the same request and refuses another', async () => {
    const first = await eci.create({ clientToken: 'one' });
    expect(await eci.create({ clientToken: 'one' })).toBe(first);
    expect(await failure(eci.create({ clientToken: 'one', cpu: 4 }))).toMatchObject({
      code: 'IdempotentParameterMismatch',
    });
    await eci.remove(first);
    await advance(2_000);
    expect(await eci.create({ clientToken: 'one' })).toBe(first);
    await advance(24 * 3_600_000);
    expect(await eci.create({ clientToken: 'one' })).not.toBe(first);
  });

  it('says that the first call still runs', async () => {
    await fault({ kind: 'delay', action: 'CreateContainerGroup', count: 1, delayMs: 60_000 });
    const abandoned = sdk(simulator.url, { readTimeout: 100, connectTimeout: 100 });
    expect(await failure(abandoned.create({ clientToken: 'slow' }))).toMatchObject({ name: 'RequestTimeoutError' });
    expect(await failure(eci.create({ clientToken: 'slow' }))).toMatchObject({ code: 'LastTokenProcessing' });
  });

  it('can look at stock before the token', async () => {
    await eci.create({ clientToken: 'one' });
    await simulator.control('PUT', '/stock', [{ zone: 'cn-hangzhou-h', capacity: 1 }]);
    await eci.create({ clientToken: 'one' });
    await settings({ tokenCheck: 'last' });
    expect(await failure(eci.create({ clientToken: 'one' }))).toMatchObject({
      code: 'OperationDenied.NoStock',
      statusCode: 403,
    });
  });
});

describe('refusals', () => {
  it.each([
    ['bad name', { containerGroupName: 'Web' }, 'InvalidParameter'],
    [
      'twice the same container',
      {
        container: [
          { name: 'a', image: 'x' },
          { name: 'a', image: 'y' },
        ],
      },
      'InvalidParameter.DuplicatedName',
    ],
    ['unknown vSwitch', { vSwitchId: 'vsw-none' }, 'InvalidVSwitchId.NotFound'],
    ['unknown region', { regionId: 'cn-nowhere' }, 'InvalidRegionId.NotFound'],
    [
      'env too long',
      { container: [{ name: 'a', image: 'x', environmentVar: [{ key: 'A', value: 'x'.repeat(257) }] }] },
      'InvalidParameter.LengthExceeded',
    ],
    ['size not sold', { cpu: 65, memory: 128 }, 'InvalidParameter.CPU.Memory'],
    ['spot too small', { cpu: 1, memory: 2, spotStrategy: 'SpotAsPriceGo' }, 'InvalidSpotCpuMemorySpec'],
    ['tag of the system', { tag: [{ key: 'acs:x', value: '1' }] }, 'InvalidParameter'],
    [
      'two kinds of probe',
      { container: [{ name: 'a', image: 'x', livenessProbe: { httpGet: { port: 1 }, tcpSocket: { port: 1 } } }] },
      'InvalidParameter',
    ],
    ['dry run', { dryRun: true }, 'DryRun.Success'],
  ])('%s', async (_, fields, code) => {
    const error = await failure(eci.create(fields as CreateFields));
    expect(error.code).toBe(code);
    expect(error.data).toMatchObject({
      HostId: expect.any(String),
      Recommend: expect.any(String),
      RequestId: expect.any(String),
    });
    expect((await simulator.control<{ groups: number }>('GET', '/ledger')).groups).toBe(0);
  });

  it('names stock, addresses, quota, arrears, permission and throttling', async () => {
    await simulator.control('PUT', '/stock', [{ zone: 'cn-hangzhou-h', spec: '2-4Gi', capacity: 0 }]);
    expect(await failure(eci.create())).toMatchObject({ code: 'OperationDenied.NoStock', statusCode: 403 });
    await eci.create({ vSwitchId: 'vsw-demo-h,vsw-demo-i', scheduleStrategy: 'VSwitchOrdered' });
    await simulator.control('DELETE', '/stock');
    await simulator.control('PUT', '/ips', [{ vSwitch: 'vsw-demo-h', limit: 0 }]);
    expect(await failure(eci.create())).toMatchObject({ code: 'InvalidVSwitchId.IpNotEnough', statusCode: 403 });
    await settings({ account: { maxCpu: 3 } });
    expect(await failure(eci.create({ vSwitchId: 'vsw-demo-i' }))).toMatchObject({ code: 'QuotaExceeded' });
    await settings({ account: { maxCpu: 100, dailyCpu: 3 } });
    expect(await failure(eci.create({ vSwitchId: 'vsw-demo-i' }))).toMatchObject({
      code: 'Throttling.Vcpu.PerDay',
      statusCode: 403,
    });
    await settings({ account: { arrears: 'Account.Arrearage' } });
    expect(await failure(eci.create())).toMatchObject({ code: 'Account.Arrearage', statusCode: 400 });
    await settings({ account: { permission: 'empty-lists' } });
    expect((await eci.groups()).body.totalCount).toBe(0);
    await settings({ account: { permission: 'denied' } });
    expect(await failure(eci.groups())).toMatchObject({ code: 'Forbidden.RAM', statusCode: 403 });
    await simulator.control('PUT', '/buckets', {
      DescribeContainerGroups: { ratePerSecond: 0.001, burst: 1 },
      '*': null,
    });
    await failure(eci.groups());
    expect(await failure(eci.groups())).toMatchObject({ code: 'Throttling.User', statusCode: 400 });
    await settings({ throttleStatus: 429 });
    expect(await failure(eci.groups())).toMatchObject({ code: 'Throttling.User', statusCode: 429 });
  });

  it('fails later, while scheduling, when it is told to', async () => {
    await settings({ asynchronousStockFailure: 1 });
    await simulator.control('PUT', '/stock', [{ zone: 'cn-hangzhou-h', capacity: 0 }]);
    const id = await eci.create();
    await advance(1);
    const [status] = (await eci.status()).data!;
    expect(status).toMatchObject({ containerGroupId: id, status: 'ScheduleFailed' });
    expect(
      status.podStatus.conditions.find((each: { type: string }) => each.type === 'ContainerInstanceCreated'),
    ).toMatchObject({ status: 'False', reason: 'NoStock' });
    expect((await eci.events({ eventSource: 'EciService' })).data![0].events[0].reason).toBe('NoStock');
    await advance(24 * 3_600_000);
    expect((await eci.groups()).ids).toEqual([]);
  });

  it('does not know other actions, versions, or parameters', async () => {
    await settings({ signatures: 'off' });
    const ask = async (query: string): Promise<unknown> => (await fetch(`${simulator.url}/?${query}`)).json();
    expect(await ask('Action=Fly&Version=2018-08-08')).toMatchObject({ Code: 'InvalidAction.NotFound' });
    expect(await ask('Action=DescribeRegions&Version=2014-01-01')).toMatchObject({ Code: 'NoSuchVersion' });
    expect(await ask('Action=ListUsage&Version=2018-08-08&RegionId=cn-hangzhou&vswitchId=1')).toMatchObject({
      Code: 'InvalidParameter',
    });
    const gap = 'Container.1.Name=a&Container.1.Image=x&Container.3.Name=b&Container.3.Image=x';
    expect(
      await ask(`Action=CreateContainerGroup&Version=2018-08-08&RegionId=cn-hangzhou&ContainerGroupName=gap&${gap}`),
    ).toMatchObject({
      Code: 'InvalidParameter',
      Message: expect.stringContaining('without a gap'),
    });
  });
});

describe('faults', () => {
  const once = (kind: string, more: Record<string, unknown> = {}): Promise<unknown> =>
    fault({ kind, count: 1, ...more });
  const made = async (): Promise<number> => (await simulator.control<{ groups: number }>('GET', '/ledger')).groups;

  it('loses the answer of a create that was executed', async () => {
    await once('lost-answer');
    expect((await failure(eci.create({ clientToken: 'x' }))).code).toBe('ECONNRESET');
    expect(await made()).toBe(1);
    await eci.create({ clientToken: 'x' });
    expect(await made()).toBe(1);
    const { requests } = await simulator.control<{ requests: { outcome: unknown }[] }>(
      'GET',
      '/ledger/requests?clientToken=x&fault=lost-answer',
    );
    expect(requests).toHaveLength(1);
    expect(requests[0]!.outcome).toMatchObject({ executed: true, status: 200 });
  });

  it('is silent, and executes only when told to', async () => {
    const hasty = sdk(simulator.url, { readTimeout: 100, connectTimeout: 100 });
    await once('silence');
    expect((await failure(hasty.create())).name).toBe('RequestTimeoutError');
    expect(await made()).toBe(0);
    await once('lost-answer', { lost: 'silence' });
    expect((await failure(hasty.create())).name).toBe('RequestTimeoutError');
    expect(await made()).toBe(1);
  });

  it.each([
    ['html-503', 'SyntaxError'],
    ['empty-500', 'SyntaxError'],
    ['garbage-200', 'SyntaxError'],
  ])('answers %s without executing', async (kind, name) => {
    await once(kind, { action: 'CreateContainerGroup' });
    expect((await failure(eci.create())).name).toBe(name);
    expect(await made()).toBe(0);
  });

  it('resets the connection, answers an error code, and lets other requests pass', async () => {
    await once('reset', { match: { ContainerGroupName: 'web*' } });
    await eci.create({ containerGroupName: 'other' });
    expect((await failure(eci.create())).code).toBe('ECONNRESET');
    await once('error', { code: 'ServiceUnavailable', status: 503 });
    expect(await failure(eci.create())).toMatchObject({ code: 'ServiceUnavailable', statusCode: 503 });
    expect(await made()).toBe(1);
  });

  it('executes late', async () => {
    await once('delay', { when: 'before', delayMs: 150 });
    const hasty = sdk(simulator.url, { readTimeout: 50, connectTimeout: 50 });
    expect((await failure(hasty.create({ clientToken: 'late' }))).name).toBe('RequestTimeoutError');
    expect(await made()).toBe(0);
    await expect.poll(made).toBe(1);
  });

  it('spoils lists', async () => {
    for (let number = 0; number < 4; number++) await eci.create();
    await once('truncate-page');
    expect((await failure(eci.groups())).name).toBe('SyntaxError');
    await once('truncate-page', { page: 'short' });
    const short = await eci.groups();
    const rest = await eci.groups({ nextToken: short.next });
    expect([short.ids.length, rest.ids.length]).toEqual([2, 2]);
    await once('truncate-page', { page: 'lost-token' });
    expect(await eci.groups()).toMatchObject({ ids: { length: 2 }, next: '', body: { totalCount: 4 } });
    await once('empty-list');
    expect((await eci.groups()).ids).toEqual([]);
    await once('slow', { delayMs: 20 });
    expect((await eci.groups()).ids).toHaveLength(4);
  });
});

describe('with a data folder', () => {
  it('knows after a restart what it answered before, and its clock stood still', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'eci-simulator-'));
    try {
      const first = await startSimulator({ scenario: AT_ONCE, dataDir });
      const before = sdk(first.url);
      const kept = await before.create({ clientToken: 'kept', tag: [{ key: 'k', value: 'v' }] });
      const deleted = await before.create();
      await before.remove(deleted);
      await first.control('PATCH', '/clock', { advanceMs: 3_600_000 });
      const time = (await first.control<{ simulatedTime: string }>('GET', '/clock')).simulatedTime;
      const ips = await first.control('GET', '/ips');
      // What a process killed now would leave behind: nothing is flushed, and the last line may be cut.
      const leftBehind = join(dataDir, 'left-behind');
      await mkdir(leftBehind);
      await copyFile(join(dataDir, 'groups-0.jsonl'), join(leftBehind, 'groups-0.jsonl'));
      await appendFile(join(leftBehind, 'groups-0.jsonl'), '{"k":"group","state":{"id":"eci-cut');
      await first.stop();

      const second = await startSimulator({ scenario: AT_ONCE, dataDir: leftBehind });
      const after = sdk(second.url);
      expect((await after.groups({ tag: [{ key: 'k', value: 'v' }] })).body.containerGroups![0]).toMatchObject({
        containerGroupId: kept,
        status: 'Running',
      });
      expect(await after.create({ clientToken: 'kept', tag: [{ key: 'k', value: 'v' }] })).toBe(kept);
      expect((await second.control<{ simulatedTime: string }>('GET', '/clock')).simulatedTime).toBe(time);
      expect(await second.control('GET', '/ips')).toEqual(ips);
      expect(await second.control('GET', '/ledger')).toMatchObject({
        groups: 2,
        groupsByStatus: { Running: 1, Gone: 1 },
      });
      await second.stop();
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });
});
