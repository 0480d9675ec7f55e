import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../simulator.ts';

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator({
    scenario: { settings: { signatures: 'off', buckets: 'unlimited', latencies: { factor: 0 } } },
  });
});

afterAll(() => simulator.stop());

interface Description {
  routes: { method: 'GET'; path: string; what: string }[];
}

it('describes itself, and every GET that it lists answers', async () => {
  const { routes } = await simulator.control<Description>('GET', '');
  expect(routes.length).toBeGreaterThan(25);
  for (const { method, path } of routes.filter((route) => route.method === 'GET')) {
    await expect(simulator.control(method, path.slice('/control/v1'.length))).resolves.toBeDefined();
  }
});

it('says what is wrong with a path, a method, a body, a filter and an id', async () => {
  await expect(simulator.control('GET', '/nowhere')).rejects.toThrow('404');
  await expect(simulator.control('POST', '/stock', [])).rejects.toThrow('405');
  await expect(simulator.control('PATCH', '/clock', { speed: 0, colour: 1 })).rejects.toThrow(/400.*speed.*colour/s);
  await expect(simulator.control('PUT', '/stock', [{ zone: 'z', capacity: 'many' }])).rejects.toThrow(/400.*capacity/s);
  await expect(simulator.control('GET', '/ledger/groups?colour=1')).rejects.toThrow('no filter colour');
  await expect(simulator.control('DELETE', '/faults/none')).rejects.toThrow('404');
  await expect(simulator.control('POST', '/reset', { scenario: { sead: 1 } })).rejects.toThrow(/400.*sead/s);
});

it('keeps a ledger that can be filtered and paged', async () => {
  const create = async (number: number): Promise<void> => {
    const query = new URLSearchParams({
      Action: 'CreateContainerGroup',
      Version: '2018-08-08',
      RegionId: 'cn-hangzhou',
      ContainerGroupName: 'web',
      ClientToken: `t${number}`,
      'Container.1.Name': 'a',
      'Container.1.Image': 'nginx',
      'Tag.1.Key': 'n',
      'Tag.1.Value': String(number % 2),
    });
    await fetch(`${simulator.url}/?${query}`);
  };
  for (let number = 0; number < 5; number++) await create(number);
  interface Page {
    groups: { containerGroupId: string; clientToken: string; tags: object; history: { status: string }[] }[];
    total: number;
    next: string | null;
  }
  const first = await simulator.control<Page>('GET', '/ledger/groups?tag.n=0&open=true&limit=2');
  const second = await simulator.control<Page>('GET', `/ledger/groups?tag.n=0&open=true&limit=2&after=${first.next}`);
  expect([first.total, first.groups.length, second.groups.length, second.next]).toEqual([3, 2, 1, null]);
  expect(first.groups[0]).toMatchObject({ clientToken: 't0', tags: { n: '0' }, zone: expect.any(String) });

  const id = first.groups[0]!.containerGroupId;
  await simulator.control('DELETE', `/groups/${id}`);
  const gone = await simulator.control<Page>('GET', `/ledger/groups?id=${id}`);
  expect(gone.groups[0]!.history.map(({ status }) => status)).toEqual(['Scheduling', 'Pending', 'Running', 'Gone']);
  const { requests } = await simulator.control<{ requests: { parameters: object; outcome: object }[] }>(
    'GET',
    `/ledger/requests?containerGroupId=${id}&param.ContainerGroupName=web`,
  );
  expect(requests).toMatchObject([
    { clientToken: 't0', parameters: { 'Tag.1.Value': '0' }, outcome: { status: 200, executed: true, fault: null } },
  ]);
  expect(await simulator.control('GET', '/ledger')).toMatchObject({
    groups: 5,
    tokensWithSeveralGroups: 0,
    requestsByAction: { CreateContainerGroup: { ok: 5 } },
  });
});

it('closes zones and begins anew', async () => {
  await simulator.control('PUT', '/zones', [{ zone: 'cn-hangzhou-h', closed: true }]);
  expect(await simulator.control('GET', '/world')).toMatchObject({ closedZones: ['cn-hangzhou-h'] });
  await simulator.control('POST', '/reset', { scenario: { clock: { stopped: true } } });
  expect(await simulator.control('GET', '/world')).toMatchObject({ closedZones: [] });
  expect(await simulator.control('GET', '/health')).toMatchObject({
    status: 'ok',
    stopped: true,
    groups: {},
    durable: false,
  });
});

/** As a browser or a stranger would ask: with headers that fetch does not let us set. */
function ask(
  to: Simulator,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(`${to.url}${path}`, { method, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.on('error', reject).end();
  });
}

describe('the door', () => {
  const bearer = (): string => `Bearer ${simulator.controlToken}`;
  const basic = (): string => `Basic ${Buffer.from(`control:${simulator.controlToken}`).toString('base64')}`;

  it('opens for the token, as a header or in the URL', async () => {
    for (const authorization of [bearer(), basic()])
      expect((await ask(simulator, '/control/v1/health', { authorization })).status).toBe(200);
    const { username, password } = new URL(simulator.controlUrl);
    expect([username, password]).toEqual(['control', simulator.controlToken]);
  });

  it.each<readonly [string, () => Record<string, string>, number]>([
    ['no token', () => ({}), 401],
    ['a wrong token', () => ({ authorization: 'Bearer wrong' }), 401],
    ['a wrong password', () => ({ authorization: 'Basic d3Jvbmc6d3Jvbmc=' }), 401],
    ['the name of a page that leads here', () => ({ authorization: bearer(), host: 'rebind.evil.example' }), 403],
    ['a page of another origin', () => ({ authorization: basic(), origin: 'http://evil.example' }), 403],
    ['a page without an origin', () => ({ authorization: basic(), origin: 'null' }), 403],
  ])('is shut for %s, on every route', async (_, headers, status) => {
    const before = await simulator.control('GET', '/ledger');
    const { routes } = await simulator.control<Description>('GET', '');
    for (const { method, path } of routes) {
      const answer = await ask(simulator, path.replace('*', 'x'), headers(), method);
      expect([method, path, answer.status]).toEqual([method, path, status]);
    }
    expect(await simulator.control('GET', '/ledger')).toEqual(before);
  });

  it('of the wire API is shut for pages, too', async () => {
    for (const headers of [{ host: 'rebind.evil.example' }, { origin: 'http://evil.example' }])
      expect((await ask(simulator, '/?Action=DescribeRegions&Version=2018-08-08', headers)).status).toBe(403);
    expect((await ask(simulator, '/?Action=DescribeRegions&Version=2018-08-08', {})).status).not.toBe(403);
  });
});

describe('the ledger of requests', () => {
  const CANARY = 'canary-0b1e';
  const secret = {
    'Container.1.EnvironmentVar.1.Value': `${CANARY}-env`,
    'InitContainer.1.EnvironmentVar.3.Value': `${CANARY}-init`,
    'Container.1.LifecyclePreStopHandlerHttpGetHttpHeader.1.Value': `${CANARY}-header`,
    'Volume.1.ConfigFileVolume.ConfigFileToPath.1.Content': Buffer.from(`${CANARY}-file`).toString('base64'),
    'Volume.2.FlexVolume.Options': `{"key":"${CANARY}-options"}`,
    'ImageRegistryCredential.1.Password': `${CANARY}-password`,
    Signature: `${CANARY}-signature`,
    SecurityToken: `${CANARY}-token`,
    'container.1.environmentVar.1.value': `${CANARY}-misspelt`,
  };
  const open = {
    Action: 'CreateContainerGroup',
    Version: '2018-08-08',
    RegionId: 'cn-hangzhou',
    ContainerGroupName: 'web',
    'Container.1.EnvironmentVar.1.Key': 'PASSWORD',
    'Container.2.EnvironmentVar.1.Value': `${CANARY}-env`,
  };
  const requestsOf = async (of: Simulator): Promise<{ parameters: Record<string, string> }> => {
    await fetch(`${of.url}/?${new URLSearchParams({ ...open, ...secret })}`);
    await fetch(`${of.url}/?${new URLSearchParams({ ...secret, Action: 'NoSuchAction', Password: CANARY })}`);
    return (await of.control<{ requests: { parameters: Record<string, string> }[] }>('GET', '/ledger/requests'))
      .requests[0]!;
  };

  it('keeps digests of secrets: no route of the control API shows one, and equal ones are seen to be equal', async () => {
    const one = await startSimulator({ scenario: { settings: { signatures: 'off' } } });
    try {
      const { parameters } = await requestsOf(one);
      expect(parameters).toMatchObject({ ContainerGroupName: 'web', 'Container.1.EnvironmentVar.1.Key': 'PASSWORD' });
      for (const name of Object.keys(secret)) expect(parameters[name]).toMatch(/^digest:[\w-]{22}$/);
      expect(parameters['Container.2.EnvironmentVar.1.Value']).toBe(parameters['Container.1.EnvironmentVar.1.Value']);
      const { routes } = await one.control<Description>('GET', '');
      for (const { path } of routes.filter(({ method }) => method === 'GET')) {
        const text = JSON.stringify(await one.control('GET', path.slice('/control/v1'.length)));
        for (const form of [CANARY, Buffer.from(`${CANARY}-file`).toString('base64')]) expect(text).not.toContain(form);
      }
    } finally {
      await one.stop();
    }
  });

  it('keeps them as they are when it was asked to at the start', async () => {
    const one = await startSimulator({ ledgerSecrets: true, scenario: { settings: { signatures: 'off' } } });
    try {
      expect((await requestsOf(one)).parameters).toMatchObject(secret);
    } finally {
      await one.stop();
    }
  });
});
