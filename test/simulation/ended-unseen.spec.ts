import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../services/eci-simulator/src/core/faults.ts';
import type { PodPlan } from './parts/workload.ts';
import { World } from './world.ts';

const UID = 'uid-job';
const plan = (uid: string, kind: PodPlan['kind'], createAtMs: number): PodPlan => ({
  clusterId: 'k1',
  uid,
  name: uid,
  kind,
  createAtMs,
  graceSeconds: 1,
  force: false,
});

describe(
  'a group whose create was never answered, and that nobody saw until it had ended',
  { timeout: 120_000 },
  () => {
    it('is named by its stream, when and for how long it was there', async () => {
      const world = new World({
        seed: 1,
        clusters: ['k1'],
        replicas: 2,
        pods: [plan('uid-other', 'service', 0), plan(UID, 'job', 10_000)],
        quota: { rate: 20, burst: 100 },
        inventorySeconds: 60,
        orphans: 0,
        keepTrace: false,
      });
      const { faults } = world.cloud.core;
      const whileMs = (forMs: number, rule: FaultRule): void => {
        faults.add(rule);
        world.scheduler.after(forMs, () => faults.remove(rule.id));
      };
      const ofJob = { 'Tag.3.Value': UID };
      world.start();
      world.scheduler.after(5_000, () => {
        whileMs(180_000, { id: 'lost', kind: 'lost-answer', action: 'CreateContainerGroup', match: ofJob, count: 1 });
        whileMs(180_000, { id: 'no repeat', kind: 'error', action: 'CreateContainerGroup', match: ofJob });
        // both look-ups are deceived, and changes are not told
        whileMs(230_000, { id: 'look-ups', kind: 'empty-list', action: 'DescribeContainerGroups', match: ofJob });
        whileMs(230_000, { id: 'changes', kind: 'empty-list', action: 'DescribeContainerGroupStatus' });
      });

      await world.scheduler.run(world.scheduler.startedAt + 700_000, () => {
        world.readEvents();
        return world.broken !== undefined;
      });

      if (world.broken) throw world.broken;
      const ofPod = [...world.cloud.groups()].filter(({ tags }) => tags['eci-fleet-pod-uid'] === UID);
      const [unseen] = ofPod;
      expect(ofPod.map(({ tags }) => tags['eci-fleet-attempt'])).toEqual(['1', '2']);
      const told = world.database.log.filter(({ data }) => data['containerGroupId'] === unseen?.containerGroupId);
      expect(told.map(({ type }) => type)).toEqual(['OrphanFound', 'ContainerGroupGone']);
      expect([told[0]?.data['createdAt'], told[1]?.data['finishedAt']]).toEqual([
        expect.any(String),
        expect.any(String),
      ]);
    });
  },
);
