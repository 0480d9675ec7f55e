import { SeededIds, SeededRandom } from '#libs/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cloud, type CloudOptions, type CloudRecord } from './cloud.ts';
import type { BehaviourRule } from './behaviour.ts';
import type { Change, Settings } from './settings.ts';

type Fields = Record<string, string>;

interface Shape {
  [name: string]: any; // eslint-disable-line @typescript-eslint/no-explicit-any
}

const START = Date.UTC(2026, 0, 1);
const AT_ONCE: Change<Settings> = { buckets: { '*': null }, latencies: { factor: 0, stopMs: 1_000 } };

/** A cloud on virtual time. */
class Trial {
  now = START;
  readonly cloud: Cloud;

  constructor(options: Partial<CloudOptions> & { seed?: number } = {}) {
    const random = new SeededRandom(options.seed ?? 1);
    this.cloud = new Cloud({
      random,
      ids: new SeededIds(random),
      ...options,
      settings: { ...AT_ONCE, ...options.settings },
    });
  }

  call(action: string, fields: Fields): { status: number; body: Shape } {
    const parameters = new Map(Object.entries({ RegionId: 'cn-hangzhou', ...fields }));
    const at = { simulated: this.now, real: this.now };
    const call = this.cloud.receive({ account: 'demo', action, version: '2018-08-08', parameters }, at);
    const { status, body } = this.cloud.perform(call, at);
    this.cloud.settle(call);
    return { status, body: body as Shape };
  }

  create(fields: Fields = {}): string {
    const { body } = this.call('CreateContainerGroup', { ...minimal(), ...fields });
    return body['ContainerGroupId'] ?? body['Code'];
  }

  remove(ContainerGroupId: string, more: Fields = {}): void {
    expect(this.call('DeleteContainerGroup', { ContainerGroupId, ...more }).status).toBe(200);
  }

  list(fields: Fields = {}): Shape[] {
    return this.call('DescribeContainerGroups', fields).body['ContainerGroups'];
  }

  get(id: string): Shape | undefined {
    return this.list({ ContainerGroupIds: JSON.stringify([id]), WithEvent: 'true' })[0];
  }

  statusOf(id: string): string {
    return this.get(id)?.['Status'] ?? 'Gone';
  }

  container(id: string, index = 0): Shape {
    return this.get(id)!['Containers'][index];
  }

  pass(ms: number): void {
    this.now += ms;
    this.cloud.advanceTo({ simulated: this.now, real: this.now });
  }

  rule(rule: Omit<BehaviourRule, 'id'>): void {
    this.cloud.behaviours.add({ id: 'rule', ...rule });
  }
}

function minimal(): Fields {
  return {
    ContainerGroupName: 'web',
    VSwitchId: 'vsw-demo-h',
    'Container.1.Name': 'web',
    'Container.1.Image': 'nginx',
  };
}

function command(...words: string[]): Fields {
  return {
    'Container.1.Image': 'busybox',
    ...Object.fromEntries(words.map((word, index) => [`Container.1.Command.${index + 1}`, word])),
  };
}

describe('the life of a container group', () => {
  it('passes through Scheduling and Pending, in which place and address are shown only when it has landed', () => {
    const trial = new Trial({
      settings: { latencies: { factor: 1, schedulingMs: [1_000, 1_000], pullingMs: [5_000, 5_000] } },
    });
    const id = trial.create();
    expect(trial.get(id)).toMatchObject({ Status: 'Scheduling', Cpu: 2, Memory: 4 });
    expect(trial.get(id)).not.toHaveProperty('ZoneId');
    trial.pass(1_000);
    expect(trial.get(id)).toMatchObject({
      Status: 'Pending',
      ZoneId: 'cn-hangzhou-h',
      VSwitchId: 'vsw-demo-h',
      IntranetIp: '10.64.0.1',
      VpcId: 'vpc-demo',
      SecurityGroupId: 'sg-demo',
    });
    expect(trial.container(id)).toMatchObject({
      Ready: false,
      CurrentState: { State: 'Waiting', Reason: 'ContainerCreating' },
    });
    trial.pass(5_000);
    expect(trial.get(id)).toMatchObject({ Status: 'Running' });
    expect(trial.container(id)).toMatchObject({
      Ready: true,
      RestartCount: 0,
      CurrentState: { State: 'Running', StartTime: '2026-01-01T00:00:06Z' },
      PreviousState: {},
    });
  });

  it.each([
    ['Never', 'sleep 5', 5_000, 'Succeeded', 'Completed', 0],
    ['Never', 'sleep 5; exit 3', 5_000, 'Failed', 'Error', 3],
    ['OnFailure', 'true', 0, 'Succeeded', 'Completed', 0],
  ])('ends with restart policy %s and "%s"', (RestartPolicy, script, ms, status, reason, exitCode) => {
    const trial = new Trial();
    const id = trial.create({ RestartPolicy, ...command('sh', '-c', script) });
    trial.pass(ms);
    expect(trial.statusOf(id)).toBe(status);
    expect(trial.container(id)['CurrentState']).toMatchObject({
      State: 'Terminated',
      Reason: reason,
      ExitCode: exitCode,
    });
    expect(
      trial.cloud.ledger
        .groups()
        .next()
        .value!.history.map((each: { status: string }) => each.status),
    ).toEqual(['Scheduling', 'Pending', 'Running', status]);
  });

  it('restarts with growing waits', () => {
    const trial = new Trial();
    const id = trial.create(command('false'));
    const states: [string, number][] = [];
    for (const ms of [0, 1_000, 10_000, 20_000]) {
      trial.pass(ms);
      states.push([trial.container(id)['CurrentState'].Reason, trial.container(id)['RestartCount']]);
    }
    expect(states).toEqual([
      ['Error', 0],
      ['CrashLoopBackOff', 1],
      ['CrashLoopBackOff', 2],
      ['CrashLoopBackOff', 3],
    ]);
    expect(trial.container(id)['PreviousState']).toMatchObject({ State: 'Terminated', ExitCode: 1 });
    expect(trial.statusOf(id)).toBe('Running');
  });

  it('runs init containers in order before the others, and fails with them', () => {
    const trial = new Trial();
    const inits = {
      'InitContainer.1.Name': 'a',
      'InitContainer.1.Image': 'busybox',
      'InitContainer.1.Command.1': 'sleep',
      'InitContainer.1.Command.2': '2',
      'InitContainer.2.Name': 'b',
      'InitContainer.2.Image': 'busybox',
      'InitContainer.2.Command.1': 'sleep',
      'InitContainer.2.Command.2': '3',
    };
    const id = trial.create(inits);
    trial.pass(0);
    const states = (): string[] => trial.get(id)!['InitContainers'].map((each: Shape) => each['CurrentState'].State);
    expect(states()).toEqual(['Running', 'Waiting']);
    expect(trial.get(id)!['InitContainers'][0].Command).toEqual(['sleep', '2']);
    trial.pass(2_000);
    expect(states()).toEqual(['Terminated', 'Running']);
    expect([trial.statusOf(id), trial.container(id)['CurrentState'].Reason]).toEqual(['Pending', 'PodInitializing']);
    trial.pass(3_000);
    expect(trial.statusOf(id)).toBe('Running');

    trial.rule({ match: { container: 'b' }, exitCode: 1, runMs: 0 });
    const failing = trial.create({ ...inits, RestartPolicy: 'Never' });
    trial.pass(2_000);
    expect(trial.statusOf(failing)).toBe('Failed');
  });

  it('becomes ready when its probe allows', () => {
    const trial = new Trial();
    const probe = {
      'Container.1.ReadinessProbe.TcpSocket.Port': '80',
      'Container.1.ReadinessProbe.InitialDelaySeconds': '5',
    };
    const id = trial.create(probe);
    trial.pass(5_999);
    expect(trial.container(id)['Ready']).toBe(false);
    trial.pass(1);
    expect(trial.container(id)['Ready']).toBe(true);
  });

  it('says of each condition when it became so', () => {
    const trial = new Trial({
      settings: { latencies: { factor: 1, schedulingMs: [2_000, 2_000], pullingMs: [3_000, 3_000] } },
    });
    trial.create({
      'InitContainer.1.Name': 'first',
      'InitContainer.1.Image': 'busybox',
      'InitContainer.1.Command.1': 'sleep',
      'InitContainer.1.Command.2': '4',
      ...command('sh', '-c', 'sleep 10; exit 1'),
    });
    const conditions = (): Shape => {
      const { body } = trial.call('DescribeContainerGroupStatus', {});
      const [{ PodStatus }] = body['Data'];
      const rows = PodStatus.Conditions as Shape[];
      return Object.fromEntries(
        rows.map(({ type, status, lastTransitionTime }) => [type, `${status} ${lastTransitionTime}`]),
      );
    };
    const time = (second: number): string => `2026-01-01T00:00:${`${second}`.padStart(2, '0')}Z`;

    // while it is scheduled nothing has turned
    expect(conditions()).toMatchObject({ PodScheduled: `False ${time(0)}`, Ready: `False ${time(0)}` });
    // its init container ends 4 s after the images came
    trial.pass(9_500);
    expect(conditions()).toEqual({
      PodScheduled: `True ${time(2)}`,
      ContainerInstanceCreated: `True ${time(2)}`,
      Initialized: `True ${time(9)}`,
      ContainersReady: `True ${time(9)}`,
      Ready: `True ${time(9)}`,
    });
    // its container ends, is started again after a second, and is ready at once
    trial.pass(10_000);
    expect(conditions()).toMatchObject({ Initialized: `True ${time(9)}`, Ready: `False ${time(19)}` });
    trial.pass(1_000);
    expect(conditions()).toMatchObject({ Initialized: `True ${time(9)}`, Ready: `True ${time(20)}` });
  });

  it('shows images that cannot be pulled, and gives up after MaxPendingMinute', () => {
    const trial = new Trial();
    trial.rule({ match: { image: 'broken*' }, imagePullFails: true });
    const id = trial.create({ 'Container.1.Image': 'broken:1', MaxPendingMinute: '10' });
    trial.pass(0);
    expect(trial.container(id)['CurrentState']).toMatchObject({ State: 'Waiting', Reason: 'ErrImagePull' });
    trial.pass(10_000);
    expect(trial.container(id)['CurrentState']).toMatchObject({ Reason: 'ImagePullBackOff' });
    trial.pass(10 * 60_000);
    expect(trial.statusOf(id)).toBe('Failed');
  });

  it('follows rules: out of memory, and a count of groups', () => {
    const trial = new Trial();
    trial.rule({ match: { tags: { job: 'flaky*' } }, count: 1, runMs: 1_000, oomKilled: true });
    const tag = { 'Tag.1.Key': 'job', 'Tag.1.Value': 'flaky-1', RestartPolicy: 'Never', ...command('true') };
    const [first, second] = [trial.create(tag), trial.create(tag)];
    trial.pass(1_000);
    expect(trial.container(first!)['CurrentState']).toMatchObject({ Reason: 'OOMKilled', ExitCode: 137 });
    expect([trial.statusOf(first!), trial.statusOf(second!)]).toEqual(['Failed', 'Succeeded']);
    expect(trial.get(first!)!['Events'].map((each: Shape) => each['Reason'])).toContain('OOMKilled');
  });

  it('is not hit by what was planned before things changed', () => {
    const trial = new Trial();
    const id = trial.create({
      ...command('sleep', '2'),
      'Container.2.Name': 'slow',
      'Container.2.Image': 'nginx',
      'Container.2.LifecyclePreStopHandlerExec.1': 'sleep',
      'Container.2.LifecyclePreStopHandlerExec.2': '9',
    });
    const lasting = trial.create({ MaxPendingMinute: '10' });
    trial.pass(0);
    trial.remove(id);
    trial.pass(3_000);
    expect(trial.container(id)['CurrentState']).toMatchObject({ State: 'Terminated', ExitCode: 143 });
    trial.pass(11 * 60_000);
    expect([trial.statusOf(id), trial.statusOf(lasting)]).toEqual(['Gone', 'Running']);
  });

  it('ends at ActiveDeadlineSeconds', () => {
    const trial = new Trial();
    const id = trial.create({ ActiveDeadlineSeconds: '60' });
    trial.pass(60_000);
    expect(trial.statusOf(id)).toBe('Failed');
    expect(trial.container(id)['CurrentState']).toMatchObject({ State: 'Terminated', ExitCode: 137 });
  });

  it.each([
    ['server', {}, 1_000],
    [
      'preStop',
      { 'Container.1.LifecyclePreStopHandlerExec.1': 'sleep', 'Container.1.LifecyclePreStopHandlerExec.2': '5' },
      6_000,
    ],
    [
      'endless preStop',
      { 'Container.1.LifecyclePreStopHandlerExec.1': 'sleep', 'Container.1.LifecyclePreStopHandlerExec.2': 'infinity' },
      30_000,
    ],
    ['short grace', { TerminationGracePeriodSeconds: '0' }, 0],
  ] as [string, Fields, number][])('is Terminating until its containers have stopped: %s', (_, fields, ms) => {
    const trial = new Trial();
    const id = trial.create(fields);
    trial.pass(1);
    trial.remove(id);
    expect(trial.statusOf(id)).toBe(ms === 0 ? 'Gone' : 'Terminating');
    trial.pass(Math.max(0, ms - 1));
    if (ms > 0) expect(trial.statusOf(id)).toBe('Terminating');
    trial.pass(1);
    expect(trial.statusOf(id)).toBe('Gone');
  });

  it('is gone at once when it is final, not yet scheduled, or when forced', () => {
    const trial = new Trial({
      settings: { latencies: { schedulingMs: [1_000, 1_000], factor: 1, pullingMs: [0, 0] } },
    });
    const scheduling = trial.create();
    trial.remove(scheduling);
    expect(trial.statusOf(scheduling)).toBe('Gone');
    const running = trial.create();
    trial.pass(1_000);
    trial.remove(running, { Force: 'true' });
    expect(trial.statusOf(running)).toBe('Gone');
  });
});

describe('what is kept of final groups', () => {
  it('keeps all for an hour and then the latest so many', () => {
    const trial = new Trial({ settings: { retention: { finalLast: 2 } } });
    const done = (): string => trial.create({ RestartPolicy: 'Never', ...command('true') });
    const ids = [done(), done(), done()];
    trial.pass(3_599_999);
    expect(ids.map((id) => trial.statusOf(id))).toEqual(['Succeeded', 'Succeeded', 'Succeeded']);
    trial.pass(1);
    expect(ids.map((id) => trial.statusOf(id))).toEqual(['Gone', 'Succeeded', 'Succeeded']);
    ids.push(done());
    trial.pass(0);
    expect(ids.map((id) => trial.statusOf(id))).toEqual(['Gone', 'Gone', 'Succeeded', 'Succeeded']);
  });
});

describe('lists', () => {
  it('filter by all tags, by status, zone and vSwitch', () => {
    const trial = new Trial();
    const both = trial.create({ 'Tag.1.Key': 'a', 'Tag.1.Value': '1', 'Tag.2.Key': 'b', 'Tag.2.Value': '2' });
    const one = trial.create({ 'Tag.1.Key': 'a', 'Tag.1.Value': '1', VSwitchId: 'vsw-demo-i' });
    trial.pass(0);
    const ids = (fields: Fields): string[] => trial.list(fields).map((each) => each['ContainerGroupId']);
    expect(ids({ 'Tag.1.Key': 'a', 'Tag.1.Value': '1' })).toEqual([both, one]);
    expect(ids({ 'Tag.1.Key': 'b', 'Tag.1.Value': '2', 'Tag.2.Key': 'a', 'Tag.2.Value': '1' })).toEqual([both]);
    expect(ids({ 'Tag.1.Key': 'a', 'Tag.1.Value': '2' })).toEqual([]);
    expect(ids({ ZoneId: 'cn-hangzhou-i' })).toEqual([one]);
    expect(ids({ Status: 'Pending' })).toEqual([]);
    expect(ids({ ContainerGroupIds: JSON.stringify(['eci-none', one]) })).toEqual([one]);
    expect(ids({ RegionId: 'cn-beijing' })).toEqual([]);
  });

  it('show a new group only after the visibility lag', () => {
    const trial = new Trial({ settings: { latencies: { visibilityMs: [30_000, 30_000] } } });
    const id = trial.create();
    trial.pass(29_999);
    expect(trial.statusOf(id)).toBe('Gone');
    trial.pass(1);
    expect(trial.statusOf(id)).toBe('Running');
  });

  it.each([
    ['known', 'Gone'],
    ['unknown', 'Running'],
  ] as const)('let a delete reach a group within the lag, or not (%s)', (deleteOfUnseen, status) => {
    const trial = new Trial({ settings: { deleteOfUnseen, latencies: { visibilityMs: [30_000, 30_000] } } });
    const id = trial.create();
    trial.pass(10_000);
    trial.remove(id);
    trial.pass(60_000);
    expect(trial.statusOf(id)).toBe(status);
  });

  it('give everything that changed, however the pages are cut', () => {
    const trial = new Trial();
    const ids = Array.from({ length: 7 }, () => trial.create());
    trial.pass(0);
    trial.pass(120_000);
    trial.remove(ids[2]!);
    trial.create();
    trial.pass(500);
    const seen: string[] = [];
    let NextToken = '';
    do {
      const { body } = trial.call('DescribeContainerGroupStatus', { SinceSecond: '60', Limit: '1', NextToken });
      seen.push(...body['Data'].map((each: Shape) => each['ContainerGroupId']));
      NextToken = body['NextToken'];
    } while (NextToken);
    expect(seen).toHaveLength(2);
    expect(seen).toContain(ids[2]);
  });
});

describe('whatever happens', () => {
  const zones = ['h', 'i', 'j', 'k'];
  const operation = fc.oneof(
    fc.record({
      do: fc.constant('create' as const),
      token: fc.integer({ min: 0, max: 12 }),
      zones: fc.shuffledSubarray(zones, { minLength: 1 }),
      cpu: fc.constantFrom('1', '2', '4'),
      job: fc.boolean(),
      lost: fc.boolean(),
    }),
    fc.record({ do: fc.constant('delete' as const), which: fc.nat(30), force: fc.boolean() }),
    fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 20_000 }) }),
    fc.record({ do: fc.constant('restart' as const) }),
  );
  const settings: Change<Settings> = {
    latencies: { factor: 1, schedulingMs: [0, 3_000], pullingMs: [0, 5_000], terminatingMs: [0, 1_000] },
    asynchronousStockFailure: 0.5,
    account: { maxCpu: 12 },
  };
  const stock = zones.map((zone, index) => ({ zone: `cn-hangzhou-${zone}`, spec: '*', capacity: index }));

  it('no token makes two groups, nothing is held twice or below zero, and all comes back', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(operation, { maxLength: 60 }), (seed, operations) => {
        let trial = new Trial({ seed, settings, stock, recording: true });
        let runs = seed;
        const journal: CloudRecord[] = [];
        const byToken = new Map<string, Set<string>>();
        const check = (): void => {
          for (const { capacity, held, free } of trial.cloud.world.stock.view()) {
            expect(held).toBeGreaterThanOrEqual(0);
            expect(free === null || free >= 0).toBe(true);
            if (capacity !== null) expect(held).toBeLessThanOrEqual(capacity);
          }
          const holding = trial.cloud.counts();
          const addresses = trial.cloud.world.allVSwitches().reduce((sum, each) => sum + each.addresses.inUse, 0);
          const open = ['Scheduling', 'Pending', 'Running', 'Terminating'].reduce(
            (sum, status) => sum + (holding[status] ?? 0),
            0,
          );
          expect(addresses).toBeLessThanOrEqual(open);
          expect(addresses).toBeGreaterThanOrEqual(open - (holding['Scheduling'] ?? 0));
        };
        for (const step of operations) {
          if (step.do === 'pass') trial.pass(step.ms);
          else if (step.do === 'create') {
            if (step.lost) trial.cloud.faults.add({ id: 'f', kind: 'lost-answer', count: 1 });
            const ClientToken = `token-${step.token}`;
            const { body } = trial.call('CreateContainerGroup', {
              ...minimal(),
              ...(step.job ? { RestartPolicy: 'Never', ...command('sleep', '3') } : {}),
              ClientToken,
              Cpu: step.cpu,
              Memory: String(2 * Number(step.cpu)),
              VSwitchId: step.zones.map((zone) => `vsw-demo-${zone}`).join(','),
            });
            const ids = byToken.get(ClientToken) ?? new Set();
            if (body['ContainerGroupId']) byToken.set(ClientToken, ids.add(body['ContainerGroupId']));
          } else if (step.do === 'delete') {
            const ids = [...trial.cloud.ledger.groups()];
            const victim = ids[step.which % Math.max(1, ids.length)];
            if (victim) trial.remove(victim.containerGroupId, step.force ? { Force: 'true' } : {});
          } else {
            // Another seed: ids of a second run never meet those of the first.
            const next = new Trial({ seed: ++runs, settings, stock, recording: true });
            next.now = trial.now;
            next.cloud.restore(JSON.parse(JSON.stringify(journal)) as CloudRecord[]);
            expect(next.cloud.counts()).toEqual(trial.cloud.counts());
            expect(next.cloud.world.stock.view()).toEqual(trial.cloud.world.stock.view());
            trial = next;
          }
          journal.push(...trial.cloud.takeRecords());
          check();
        }
        for (const ids of byToken.values()) expect(ids.size).toBe(1);
        const perToken = new Map<string, number>();
        for (const { clientToken } of trial.cloud.ledger.groups())
          perToken.set(clientToken!, (perToken.get(clientToken!) ?? 0) + 1);
        for (const count of perToken.values()) expect(count).toBe(1);

        for (const { containerGroupId } of trial.cloud.ledger.groups()) trial.remove(containerGroupId);
        trial.pass(60_000);
        expect(trial.cloud.counts()).toEqual({});
        expect(trial.cloud.world.stock.view().every(({ held }) => held === 0)).toBe(true);
        expect(trial.cloud.world.allVSwitches().every(({ addresses }) => addresses.inUse === 0)).toBe(true);
        expect(trial.call('ListUsage', {}).body['Attributes'].UsedCpu).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it('the same seed tells the same story', () => {
    const story = (): unknown => {
      const trial = new Trial({ seed: 7, settings });
      for (let number = 0; number < 10; number++) {
        trial.create({ VSwitchId: 'vsw-demo-h,vsw-demo-i,vsw-demo-j' });
        trial.pass(700);
      }
      return [...trial.cloud.ledger.groups()];
    };
    expect(story()).toEqual(story());
  });
});
