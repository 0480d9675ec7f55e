import { topics } from '#libs/contracts';
import { eventually } from '#libs/testing';
import { ACCOUNT, CLUSTER, FLEET } from '../names.ts';
import type { Row } from './scene.ts';
import { BAD, FAR, far, GOOD, OTHER, PODS, type Stage } from './stage.ts';

/** Creates whose answers are lost. */
async function inDoubt(stage: Stage): Promise<void> {
  const { rig } = stage;
  await rig.simulator.control('POST', '/faults', { id: 'lost', kind: 'lost-answer', action: 'CreateContainerGroup' });
  await stage.runPods();
  for (const uid of PODS)
    await eventually(async () => (await rig.state(uid)).attempt?.outcome === 'unknown', {
      what: `the create of ${uid} is in doubt`,
      deadlineMs: 30_000,
    });
}
const answersCome = (stage: Stage): Promise<unknown> => stage.rig.simulator.control('DELETE', '/faults/lost');

/** Pods whose intents were asked for once; nobody answers, and they are asked for again at the same time. */
async function unanswered(stage: Stage, pods: readonly (readonly [cluster: string, uid: string])[]) {
  const asked = await stage.askedOf([...new Set(pods.map(([cluster]) => cluster))], 'Refresh');
  await stage.runWithOldTokens(...pods);
  for (const uid of PODS) await eventually(() => asked.has(uid), { what: `the agent is asked for ${uid}` });
  return {
    begin: () => {
      asked.clear();
      return stage.rig.hurry(61_000);
    },
    isDone: (uid: string) => asked.has(uid),
  };
}

/** What follows from events. */
export const EFFECTS: readonly Row[] = [
  {
    loop: 'effects',
    item: 'a pod that is to be placed',
    scene: (stage) => {
      stage.startLoops();
      return { begin: () => stage.runPods(), isDone: stage.is('running') };
    },
  },
  {
    loop: 'effects',
    item: 'a create whose outcome is not known',
    scene: async (stage) => {
      stage.startLoops();
      await inDoubt(stage);
      await answersCome(stage);
      return { isDone: stage.is('running') };
    },
  },
  {
    loop: 'effects',
    item: 'an attempt that is looked for',
    stepMs: 10_000,
    scene: async (stage) => {
      stage.startLoops();
      await inDoubt(stage);
      await stage.stopPods();
      for (const uid of PODS)
        await eventually(async () => (await stage.rig.state(uid)).stop, { what: `the stop of ${uid} is recorded` });
      await answersCome(stage);
      return { isDone: stage.is('gone') };
    },
  },
  {
    loop: 'effects',
    item: 'a group that is to be deleted',
    scene: async (stage) => {
      stage.startLoops();
      await stage.allRun();
      return { begin: () => stage.stopPods(), isDone: stage.is('gone') };
    },
  },
  {
    loop: 'effects',
    item: 'a deleted group whose end is to be proven',
    scene: async (stage) => {
      stage.startLoops();
      await stage.allRun();
      return { mentions: [BAD, 'ContainerGroupGone'], begin: () => stage.stopPods(), isDone: stage.is('gone') };
    },
  },
  {
    loop: 'effects',
    item: 'a pod whose intent is to be asked for again',
    together: true,
    scene: (stage) => {
      stage.startLoops();
      return unanswered(
        stage,
        PODS.map((uid) => [CLUSTER, uid]),
      );
    },
  },
  {
    loop: 'effects',
    item: 'a cluster that cannot be asked for an intent',
    together: true,
    scene: async (stage) => {
      stage.startLoops();
      await stage.rig.addCluster(OTHER);
      const both = await unanswered(stage, [
        [CLUSTER, BAD],
        [OTHER, GOOD],
      ]);
      return { mentions: [topics(FLEET).cluster(CLUSTER)], ...both };
    },
  },
  {
    loop: 'effects lanes',
    item: 'a lane in which nothing can be claimed',
    scene: (stage) => {
      stage.startLoops();
      return {
        mentions: [`"lane":"${ACCOUNT}/${FAR}/create"`],
        begin: () => Promise.all([stage.rig.runPod(BAD, far), stage.rig.runPod(GOOD)]),
        isDone: stage.is('running'),
      };
    },
  },
];
