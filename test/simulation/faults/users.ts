import { between, oneOf, type FaultKind } from './fault.ts';

/** Pods beyond those of the plan have numbers from here. */
const BEYOND = 900;

export const userFaults: readonly FaultKind[] = [
  {
    name: 'pods of odd text',
    inject: (world, fault, random) => {
      for (let i = between(random, 1, 4); i > 0; i--) {
        const { clusterId } = world.agent(between(random, 0, world.agentCount));
        const serial = between(random, BEYOND, BEYOND + 100);
        const [uid, name] = [`uid-${serial}`, `pod-${serial}`];
        if (world.pods.has(uid)) continue;
        world.makePod({
          clusterId,
          uid,
          name,
          kind: 'odd-text',
          createAtMs: fault.atMs,
          graceSeconds: 5,
          force: false,
        });
        world.hit(fault.kind);
      }
    },
  },
  {
    name: 'pods deleted',
    inject: (world, fault, random) => {
      for (let i = between(random, 1, 8); i > 0; i--) {
        const { api } = world.agent(between(random, 0, world.agentCount));
        const pods = api.values();
        if (pods.length === 0) continue;
        world.deletePod(api.clusterId, oneOf(random, pods).metadata.uid, between(random, 0, 31), random.next() < 0.3);
        world.hit(fault.kind);
      }
    },
  },
  {
    name: 'pods deleted while the API server goes away',
    inject: (world, fault, random) => {
      const { api } = world.agent(between(random, 0, world.agentCount));
      api.away = true;
      for (const pod of api.values().slice(0, between(random, 1, 5))) {
        world.deletePod(api.clusterId, pod.metadata.uid, 30, random.next() < 0.5);
        world.hit(fault.kind);
      }
      world.scheduler.after(between(random, 3_000, 60_000), () => (api.away = false));
    },
  },
];
