import { foldOrphan, orphanStreamId } from '#libs/domain';
import { OrphanStreams } from '../../../services/control-plane/src/orphans/orphan-streams.ts';
import { orphanEvent } from '../../../services/control-plane/src/streams/stored-events.ts';
import { ACCOUNT, REGION } from '../names.ts';
import { makeStrangersGroup } from '../stranger.ts';
import type { Row } from './scene.ts';
import { FAR, far, PODS, type Stage } from './stage.ts';

/** Two groups of nobody, and pods that run so that their places are observed. */
class Strangers {
  readonly items: { readonly bad: string; readonly good: string };
  private readonly stage: Stage;
  private readonly badIn: string;

  private constructor(stage: Stage, items: Strangers['items'], badIn: string) {
    this.stage = stage;
    this.items = items;
    this.badIn = badIn;
  }

  static async make(stage: Stage, badIn = REGION): Promise<Strangers> {
    const { rig } = stage;
    await rig.runPod('another');
    if (badIn !== REGION) await rig.runPod('another-far', far);
    await stage.allAre(['running'], badIn === REGION ? ['another'] : ['another', 'another-far']);
    const bad = await makeStrangersGroup(rig, 'nobody-1', 1, { region: badIn });
    return new Strangers(stage, { bad, good: await makeStrangersGroup(rig, 'nobody-2', 1) }, badIn);
  }

  streamIdOf(group: string): string {
    return orphanStreamId(this.idOf(group));
  }

  are(...phases: readonly string[]): (group: string) => Promise<boolean> {
    return async (group) => {
      const streamId = this.streamIdOf(group);
      const events = (await this.stage.rig.store().loadMany([streamId])).get(streamId) ?? [];
      const { phase } = foldOrphan(events.map(orphanEvent));
      return phases.includes(phase);
    };
  }

  async areInQuarantine(): Promise<void> {
    for (const group of Object.values(this.items))
      await this.stage.rig.hurryUntil(() => this.are('quarantined')(group), 'it is in quarantine', 310_000);
  }

  async remove(): Promise<void> {
    const { clock, ids } = this.stage.base;
    const streams = new OrphanStreams({ store: this.stage.rig.store(), clock, ids });
    for (const group of Object.values(this.items))
      await streams.execute(
        orphanStreamId(this.idOf(group)),
        { type: 'RequestRemoval', by: 'jo', reason: 'a test' },
        { actor: 'operator:jo' },
      );
  }

  private idOf(containerGroupId: string) {
    const region = containerGroupId === this.items.bad ? this.badIn : REGION;
    return { accountId: ACCOUNT, region, containerGroupId };
  }
}

/** What is seen in the cloud, and what is nobody's there. */
export const CLOUD: readonly Row[] = [
  {
    loop: `observe ${ACCOUNT}/${REGION}`,
    item: 'a group that ends',
    scene: async (stage) => {
      stage.startLoops();
      await Promise.all(
        PODS.map((uid) => stage.rig.runPod(uid, { container: { command: ['sh', '-c', 'sleep 4; exit 3'] } })),
      );
      await stage.allAre(['running', 'failed']);
      return { isDone: stage.is('failed') };
    },
  },
  {
    loop: `observe streams ${ACCOUNT}/${REGION}`,
    item: 'a group of nobody',
    stepMs: 310_000,
    seldom: true,
    scene: async (stage) => {
      stage.startLoops();
      const strangers = await Strangers.make(stage);
      const { items } = strangers;
      return { items, mentions: [strangers.streamIdOf(items.bad)], isDone: strangers.are('quarantined') };
    },
  },
  {
    loop: `observe streams ${ACCOUNT}/${REGION}`,
    item: 'the stream of a group that a list lacks',
    stepMs: 70_000,
    scene: async (stage) => {
      const { rig } = stage;
      stage.startLoops();
      // Lists that lack groups mean something beside one that they show.
      await stage.allRun([...PODS, 'another']);
      return {
        begin: async () => {
          for (const uid of PODS) {
            const [group] = await rig.groupsOf(uid);
            await rig.simulator.control('DELETE', `/groups/${group!.containerGroupId}`);
          }
        },
        isDone: stage.has('ContainerGroupGone'),
      };
    },
  },
  {
    loop: 'orphan-policy',
    item: 'an orphan whose time is over',
    scene: async (stage) => {
      stage.rig.orphanPolicy = { kind: 'remove-after', afterMs: 3_600_000 };
      stage.startLoops();
      const strangers = await Strangers.make(stage);
      await strangers.areInQuarantine();
      return {
        items: strangers.items,
        begin: () => stage.rig.hurry(3_600_000),
        isDone: strangers.are('removing', 'removed'),
      };
    },
  },
  {
    loop: 'effects',
    item: 'an orphan that is to be removed',
    stepMs: 5_000,
    scene: async (stage) => {
      stage.startLoops();
      const strangers = await Strangers.make(stage);
      await strangers.areInQuarantine();
      return { items: strangers.items, begin: () => strangers.remove(), isDone: strangers.are('removed') };
    },
  },
  {
    loop: 'effects lanes',
    item: 'a place in which no removal can be begun',
    stepMs: 5_000,
    scene: async (stage) => {
      stage.startLoops();
      const strangers = await Strangers.make(stage, FAR);
      await strangers.areInQuarantine();
      return {
        items: strangers.items,
        mentions: [`"lane":"${ACCOUNT}/${FAR}/delete"`],
        begin: () => strangers.remove(),
        isDone: strangers.are('removed'),
      };
    },
  },
];
