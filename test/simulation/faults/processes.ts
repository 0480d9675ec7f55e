import type { Random } from '#libs/runtime';
import type { World } from '../world.ts';
import { between, oneOf, type FaultKind } from './fault.ts';

/** Calls whose effect outlives the caller. */
const EFFECTIVE =
  /^(store\.append|queue\.(claim|confirmClaims|release)|log\.publish|cloud\.(Create|Delete)ContainerGroup)$/;

/** The user deletes the pod whose group is just being made, while nobody knows yet that it is; and often lists fail when it is looked for. */
function deleteTheNewest(world: World, random: Random): void {
  const known = new Set([...world.cloud.groups()].map(({ containerGroupId }) => containerGroupId));
  const force = random.next() < 0.2;
  world.scheduler.after(between(random, 1_000, 40_000), () => {
    const made = [...world.cloud.groups()].find((group) => !known.has(group.containerGroupId));
    if (made) world.deletePod(made.tags['eci-fleet-cluster'] ?? '', made.tags['eci-fleet-pod-uid'] ?? '', 0, force);
  });
  if (random.next() < 0.5) return;
  const { faults } = world.cloud.core;
  const id = `lists fail ${world.scheduler.now}`;
  faults.add({ id, kind: 'error', action: 'DescribeContainerGroups', code: 'ServiceUnavailable', status: 503 });
  world.scheduler.after(between(random, 60_000, 300_000), () => faults.remove(id));
}

export const processFaults: readonly FaultKind[] = [
  {
    name: 'replica crash',
    inject: (world, fault, random) => {
      const replica = world.replica(between(random, 0, world.replicaCount));
      replica.restartAfterMs = between(random, 200, 15_000);
      replica.process.dieAtWait = replica.process.waits + between(random, 1, 300);
      replica.process.onDeath = () => world.hit(fault.kind);
    },
  },
  {
    name: 'replica crash before a call',
    inject: (world, fault, random) => {
      const wanted = oneOf(random, [/^store\.append$/, /^cloud\.CreateContainerGroup$/, /^cloud\./, EFFECTIVE]);
      let left = between(random, 0, 6);
      world.rule(fault.forMs, (process, call) => {
        if (!world.isReplica(process) || !wanted.test(call) || left < 0 || left-- > 0) return undefined;
        world.hit(fault.kind);
        process.crash();
        return undefined;
      });
    },
  },
  {
    name: 'replica crash before an answer',
    inject: (world, fault, random) => {
      const wanted = oneOf(random, [/^store\.append$/, /^cloud\.CreateContainerGroup$/, /^cloud\.Delete/, EFFECTIVE]);
      let left = between(random, 0, 6);
      world.rule(fault.forMs, (process, call) => {
        if (!world.isReplica(process) || !wanted.test(call) || left < 0 || left-- > 0) return undefined;
        world.hit(fault.kind);
        if (call === 'cloud.CreateContainerGroup' && random.next() < 0.7) deleteTheNewest(world, random);
        return { dieBeforeAnswer: true };
      });
    },
  },
  {
    name: 'replica paused',
    inject: (world, fault, random) => {
      world.pause(world.replica(between(random, 0, world.replicaCount)).process, between(random, 2_000, 100_000));
      world.hit(fault.kind);
    },
  },
  {
    name: 'replica paused before a create',
    inject: (world, fault, random) => {
      let left = between(random, 0, 4);
      const ms = between(random, 20_000, 200_000);
      world.rule(fault.forMs, (process, call) => {
        if (!world.isReplica(process) || call !== 'cloud.CreateContainerGroup' || left < 0 || left-- > 0)
          return undefined;
        world.hit(fault.kind);
        world.pause(process, ms);
        return { delayMs: ms };
      });
    },
  },
  {
    name: 'agent crash',
    inject: (world, fault, random) => {
      const agent = world.agent(between(random, 0, world.agentCount));
      agent.restartAfterMs = between(random, 500, 30_000);
      agent.process.dieAtWait = agent.process.waits + between(random, 1, 40);
      agent.process.onDeath = () => world.hit(fault.kind);
    },
  },
  {
    name: 'API server away',
    inject: (world, fault, random) => {
      const { api } = world.agent(between(random, 0, world.agentCount));
      api.away = true;
      world.hit(fault.kind);
      world.scheduler.after(between(random, 5_000, Math.max(6_000, fault.forMs)), () => (api.away = false));
    },
  },
  {
    name: 'service clock jump',
    inject: (world, fault, random) => {
      const replica = world.replica(between(random, 0, world.replicaCount));
      replica.clockOffsetMs = between(random, -300_000, 300_000);
      replica.process.clockOffsetMs = replica.clockOffsetMs;
      world.hit(fault.kind);
      world.scheduler.after(fault.forMs, () => {
        replica.clockOffsetMs = 0;
        replica.process.clockOffsetMs = 0;
      });
    },
  },
  {
    name: 'agent clock jump',
    inject: (world, fault, random) => {
      const agent = world.agent(between(random, 0, world.agentCount));
      agent.clockOffsetMs = between(random, -3_600_000, 3_600_000);
      agent.process.clockOffsetMs = agent.clockOffsetMs;
      world.hit(fault.kind);
    },
  },
  {
    name: 'database clock jump',
    inject: (world, fault, random) => {
      world.databaseOffsetMs = between(random, -60_000, 120_000);
      world.hit(fault.kind);
      world.scheduler.after(fault.forMs, () => (world.databaseOffsetMs = 0));
    },
  },
];
