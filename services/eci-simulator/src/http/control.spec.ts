import { afterAll, beforeAll, expect, it } from 'vitest';
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
