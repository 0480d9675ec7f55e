import { streamIdOf } from '#libs/domain';
import { eventually } from '#libs/testing';
import { HoldDesk } from '../../../services/control-plane/src/holds/hold-desk.ts';
import { ACCOUNT, CLUSTER } from '../names.ts';
import type { Row } from './scene.ts';
import { BAD, FAR, far, GOOD, PODS } from './stage.ts';

/** What waits for a gate, a decision or its time. */
export const WAITING: readonly Row[] = [
  {
    loop: 'gates',
    item: 'a gate',
    stepMs: 10_000,
    scene: async (stage) => {
      const { rig } = stage;
      stage.startLoops();
      const zones = ['cn-hangzhou-h', 'cn-hangzhou-i', 'cn-beijing-f'];
      await rig.simulator.control(
        'PUT',
        '/stock',
        zones.map((zone) => ({ zone, capacity: 0 })),
      );
      await Promise.all([rig.runPod(BAD, far), rig.runPod(GOOD)]);
      await stage.allAre(['parked']);
      return {
        mentions: [`capacity/${ACCOUNT}/${FAR}/`],
        begin: () => rig.simulator.control('DELETE', '/stock'),
        isDone: stage.is('running'),
      };
    },
  },
  {
    loop: 'gates streams',
    item: 'a parked pod, first of those behind its gate',
    stepMs: 5_000,
    scene: async (stage) => {
      const { rig } = stage;
      stage.startLoops();
      rig.credential = () => Promise.resolve({ accessKeyId: 'nobody', accessKeySecret: 'nothing' });
      // The bad one waits longest, so that it is always the first.
      for (const uid of PODS) {
        await rig.runPod(uid);
        await rig.hurryUntil(() => stage.is('parked')(uid), `${uid} is parked`, 500);
      }
      return { isDone: stage.has('Unparked') };
    },
  },
  {
    loop: 'holds',
    item: 'a decision on a held stop',
    scene: async (stage) => {
      const { rig } = stage;
      rig.limits = { percent: 0, count: 1, windowMs: 300_000 };
      stage.startLoops();
      const all = ['more-1', 'more-2', ...PODS];
      await stage.allRun(all);
      for (const uid of all) {
        await rig.stopPod(uid, 'Absent');
        await eventually(async () => (await rig.state(uid)).stop ?? (await rig.state(uid)).held, {
          what: `the stop of ${uid} is decided`,
        });
      }
      const isStopped = async (uid: string): Promise<boolean> => (await rig.state(uid)).stop !== undefined;
      for (const uid of PODS) if (await isStopped(uid)) throw new Error(`the stop of ${uid} is not held`);
      return {
        begin: () =>
          new HoldDesk(rig.pool).decide({ clusterId: CLUSTER, verdict: 'release', which: { all: true }, by: 'jo' }),
        isDone: isStopped,
      };
    },
  },
  {
    loop: 'timers',
    item: 'a timer that is due',
    stepMs: 10_000,
    scene: async (stage) => {
      const woken = new Set<string>();
      stage.rig.timerHandlers = {
        wake: (streamId) => {
          stage.poison.check('timers', streamId);
          woken.add(streamId);
          return Promise.resolve();
        },
      };
      stage.startLoops();
      await stage.accept([CLUSTER, BAD], [CLUSTER, GOOD]);
      const timers = [{ op: 'put', name: 'wake', dueAt: new Date().toISOString(), data: {} } as const];
      return {
        begin: () =>
          stage.rig
            .store()
            .append(PODS.map((uid) => ({ streamId: streamIdOf(CLUSTER, uid), expected: 1, events: [], timers }))),
        isDone: (uid) => woken.has(streamIdOf(CLUSTER, uid)),
      };
    },
  },
];
