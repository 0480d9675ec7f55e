import type { FaultRule } from '../../../services/eci-simulator/src/core/faults.ts';
import type { Change, Settings } from '../../../services/eci-simulator/src/core/settings.ts';
import type { World } from '../world.ts';
import { ODD_TEXTS } from '../parts/workload.ts';
import { between, oneOf, type FaultKind, type PlannedFault } from './fault.ts';
import type { Random } from '#libs/runtime';

type Rule = Omit<FaultRule, 'id'>;

/** A rule of the simulator's own faults, for a while; it counts as met when some request met it. */
function byRule(name: string, make: (random: Random) => Rule, lasts?: FaultKind['lasts']): FaultKind {
  return {
    name,
    ...(lasts && { lasts }),
    inject: (world, fault, random) => {
      const id = `${fault.kind} ${fault.atMs}`;
      const { faults } = world.cloud.core;
      faults.add({ ...make(random), id });
      world.scheduler.after(fault.forMs, () => {
        if (faults.view().some((rule) => rule.id === id && rule.hits > 0)) world.hit(fault.kind);
        faults.remove(id);
      });
    },
  };
}

/** A switch of the simulator, for a while. */
function bySetting(
  name: string,
  change: (random: Random) => Change<Settings>,
  back: Change<Settings>,
  met: (world: World) => number,
): FaultKind {
  return {
    name,
    inject: (world, fault, random) => {
      const before = met(world);
      world.cloud.core.change(change(random));
      world.scheduler.after(fault.forMs, () => {
        world.cloud.core.change(back);
        if (met(world) > before) world.hit(fault.kind);
      });
    },
  };
}

const CREATE = 'CreateContainerGroup';
const DELETE = 'DeleteContainerGroup';
const LIST = 'DescribeContainerGroups';
const answered = (code: string) => (world: World) => world.coverage.count(`answer ${code}`);
const calls = (action: string) => (world: World) => world.coverage.count(`call ${action}`);
const refusal = (name: string, code: string, status: number): FaultKind =>
  byRule(name, (random) => ({ kind: 'error', action: CREATE, code, status, count: between(random, 1, 4) }));

/** Lists are taken every few minutes, so a fault of lists must last as long to be met. */
const throughInventories = (random: Random): number => between(random, 60_000, 500_000);

const ZONES = ['h', 'i', 'j', 'k'].map((zone) => `cn-hangzhou-${zone}`);

function stockOut(world: World, fault: PlannedFault): void {
  const { stock } = world.cloud.core.world;
  stock.setLimits(ZONES.map((zone) => ({ zone, spec: '*', capacity: 0 })));
  world.scheduler.after(fault.forMs, () => stock.setLimits(ZONES.map((zone) => ({ zone, spec: '*', capacity: null }))));
}

export const cloudFaults: readonly FaultKind[] = [
  byRule('create answer lost', (random) => ({
    kind: 'lost-answer',
    action: CREATE,
    lost: oneOf(random, ['reset', 'silence'] as const),
    probability: 0.3 + random.next() * 0.7,
  })),
  byRule('delete answer lost', (random) => ({
    kind: 'lost-answer',
    action: DELETE,
    lost: oneOf(random, ['reset', 'silence'] as const),
    probability: 0.3 + random.next() * 0.7,
  })),
  byRule('late answer', (random) => ({
    kind: 'delay',
    delayMs: between(random, 3_000, 40_000),
    probability: 0.3 + random.next() * 0.5,
    action: oneOf(random, [CREATE, DELETE, LIST]),
  })),
  byRule('late execution', (random) => ({
    kind: 'delay',
    when: 'before',
    delayMs: between(random, 10_000, 240_000),
    count: between(random, 1, 4),
    action: oneOf(random, [CREATE, CREATE, CREATE, DELETE]),
  })),
  byRule('create says 500 and works', (random) => ({
    kind: 'error',
    action: CREATE,
    executed: true,
    probability: 0.3 + random.next() * 0.7,
  })),
  byRule('create says 500', (random) => ({ kind: 'error', action: CREATE, probability: 0.3 + random.next() * 0.7 })),
  byRule('garbage', (random) => ({
    kind: oneOf(random, ['garbage-200', 'html-503', 'empty-500'] as const),
    executed: random.next() < 0.5,
    probability: 0.2 + random.next() * 0.4,
  })),
  byRule('silence', (random) => ({ kind: 'silence', executed: random.next() < 0.5, probability: 0.3 })),
  byRule(
    'list cut',
    () => ({ kind: 'truncate-page', page: 'cut', action: LIST, probability: 0.4 }),
    throughInventories,
  ),
  byRule(
    'list short',
    () => ({ kind: 'truncate-page', page: 'short', action: LIST, probability: 0.6 }),
    throughInventories,
  ),
  byRule(
    'list truncated',
    (random) => ({
      kind: 'truncate-page',
      page: 'lost-token',
      action: LIST,
      match: { ContainerGroupIds: '' },
      count: between(random, 1, 3),
    }),
    throughInventories,
  ),
  byRule(
    'list empty',
    (random) => ({
      kind: 'empty-list',
      action: oneOf(random, [LIST, 'DescribeContainerGroupStatus']),
      match: { ContainerGroupIds: '' },
      count: between(random, 1, 3),
    }),
    throughInventories,
  ),
  byRule(
    'page token expired',
    () => ({
      kind: 'error',
      action: LIST,
      code: 'InvalidParameter',
      status: 400,
      match: { NextToken: 'YWZ0ZXI6*' },
      probability: 0.7,
    }),
    throughInventories,
  ),
  byRule('throttling storm', (random) => ({
    kind: 'error',
    code: 'Throttling.User',
    status: random.next() < 0.5 ? 400 : 429,
    probability: 0.3 + random.next() * 0.6,
  })),
  refusal('quota refused', 'QuotaExceeded', 403),
  refusal('authorization refused', 'Forbidden.RAM', 403),
  refusal('invalid request', 'InvalidParameter', 400),
  refusal('not found', 'InvalidSecurityGroupId.NotFound', 404),
  refusal('no addresses', 'InvalidVSwitchId.IpNotEnough', 403),
  byRule('refusal in odd words', (random) => ({
    kind: 'error',
    action: oneOf(random, [CREATE, CREATE, CREATE, DELETE]),
    ...oneOf(random, [
      { code: 'InvalidParameter', status: 400 },
      { code: 'QuotaExceeded', status: 403 },
      { code: 'InternalError', status: 500 },
      { code: 'Odd\ud800Code', status: 400 },
    ]),
    message: `no: ${oneOf(random, ODD_TEXTS)}`,
    count: between(random, 1, 4),
  })),
  {
    name: 'odd last words',
    lasts: (random) => between(random, 40_000, 200_000),
    inject: (world, fault, random) => {
      const { cloud } = world;
      cloud.lastWords = { text: `bye ${oneOf(random, ODD_TEXTS)}`, onSaid: () => world.hit(fault.kind) };
      world.scheduler.after(fault.forMs, () => (cloud.lastWords = undefined));
    },
  },
  refusal('token in process', 'LastTokenProcessing', 400),
  bySetting(
    'look-up lag',
    (random) => ({
      latencies: { visibilityMs: [1_000, between(random, 5_000, 45_000)] },
      deleteOfUnseen: random.next() < 0.5 ? 'unknown' : 'known',
    }),
    { latencies: { visibilityMs: [0, 0] }, deleteOfUnseen: 'known' },
    calls(CREATE),
  ),
  bySetting(
    'account in arrears',
    () => ({ account: { arrears: 'Account.Arrearage' } }),
    { account: { arrears: false } },
    answered('Account.Arrearage'),
  ),
  bySetting(
    'permission taken',
    () => ({ account: { permission: 'denied' } }),
    { account: { permission: 'ok' } },
    answered('Forbidden.RAM'),
  ),
  bySetting(
    'lists empty for want of permission',
    () => ({ account: { permission: 'empty-lists' } }),
    { account: { permission: 'ok' } },
    calls(LIST),
  ),
  {
    name: 'stock-out',
    inject: (world, fault) => {
      const met = answered('OperationDenied.NoStock');
      const before = met(world);
      stockOut(world, fault);
      world.scheduler.after(fault.forMs, () => {
        if (met(world) > before) world.hit(fault.kind);
      });
    },
  },
  {
    name: 'stock-out after a 200',
    inject: (world, fault) => {
      const before = world.coverage.count('event SchedulingFailed');
      stockOut(world, fault);
      world.cloud.core.change({ asynchronousStockFailure: 1 });
      world.scheduler.after(fault.forMs, () => world.cloud.core.change({ asynchronousStockFailure: 0 }));
      world.scheduler.after(fault.forMs + 30_000, () => {
        if (world.coverage.count('event SchedulingFailed') > before) world.hit(fault.kind);
      });
    },
  },
  {
    name: 'token looked at last',
    lasts: (random) => between(random, 30_000, 200_000),
    inject: (world, fault) => {
      world.cloud.core.change({ tokenCheck: 'last' });
      stockOut(world, fault);
      world.hit(fault.kind);
      world.scheduler.after(fault.forMs, () => world.cloud.core.change({ tokenCheck: 'first' }));
    },
  },
  {
    name: 'finished groups forgotten',
    inject: (world, fault) => {
      world.cloud.core.change({ retention: { finalMs: 500, finalLast: 0, scheduleFailedMs: 500 } });
      world.forgets = true;
      world.hit(fault.kind);
      world.scheduler.after(fault.forMs, () =>
        world.cloud.core.change({ retention: { finalMs: 3_600_000, finalLast: 100, scheduleFailedMs: 86_400_000 } }),
      );
    },
  },
  {
    name: 'group vanishes',
    inject: (world, fault, random) => {
      const open = [...world.cloud.groups()].filter(
        ({ status, containerGroupId }) =>
          (status === 'Running' || status === 'Pending') && !world.strangers.has(containerGroupId),
      );
      if (open.length === 0) return;
      for (let i = between(random, 1, 3); i > 0; i--) {
        const { containerGroupId } = oneOf(random, open);
        world.vanished.add(containerGroupId);
        world.cloud.core.vanish(containerGroupId, world.cloud.now);
      }
      world.cloud.touch();
      world.hit(fault.kind);
    },
  },
  {
    name: 'endpoint away',
    inject: (world, fault, random) => {
      const code = oneOf(random, ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);
      world.rule(Math.min(fault.forMs, 60_000), (_, call) => {
        if (!call.startsWith('cloud.')) return undefined;
        world.hit(fault.kind);
        return { refuse: Object.assign(new Error(code), { code }), delayMs: 10 };
      });
    },
  },
];
