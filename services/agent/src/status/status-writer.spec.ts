import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PodStatusMessage } from '#libs/contracts';
import { KubernetesError, type KubernetesApi, type PodObject, type Stored } from '#libs/kubernetes';
import { AsideItems, Logger, Metrics, withoutRepeats } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { StatusBook } from './status-book.ts';
import { WholeTopic } from './whole-topic.ts';
import { StatusWriter } from './status-writer.ts';

type Patch = { metadata: { uid: string }; status?: { phase?: string } };

class Recorder extends Logger {
  private readonly said: string[];

  constructor(said: string[]) {
    super();
    this.said = said;
  }

  debug(): void {}
  info(): void {}
  child(): Logger {
    return this;
  }
  warn(message: string): void {
    this.said.push(message);
  }
  error(message: string): void {
    this.said.push(message);
  }
}

/** One API server in memory: it takes patches of statuses, and can be away. */
class World {
  readonly clock = new VirtualClock();
  readonly book = new StatusBook();
  readonly pods = new Map<string, Stored<PodObject>>();
  readonly patches: { at: number; name: string; phase: string | undefined }[] = [];
  readonly events: string[] = [];
  readonly said: string[] = [];
  away = false;
  /** The watch shows writes only when `showWrites` says so; until then they are the API server's alone. */
  lateWatch = false;
  private readonly stored = new Map<string, Stored<PodObject>>();
  private version = 1;
  asked = 0;
  readonly writer: StatusWriter;

  constructor() {
    const { clock, book, pods } = this;
    const api = {
      patch: async (_: unknown, { name }: { name: string }, _kind: unknown, patch: Patch) => {
        this.ask(`PATCH ${name}`);
        this.patches.push({ at: clock.now(), name, phase: patch.status?.phase });
        const { uid } = patch.metadata;
        const pod = this.stored.get(uid) ?? pods.get(uid);
        if (!pod) return undefined;
        const status = { ...pod.status, ...patch.status };
        const after = {
          ...pod,
          metadata: { ...pod.metadata, ...LABELLED, resourceVersion: `${++this.version}` },
          status,
        };
        this.stored.set(uid, after);
        if (!this.lateWatch) pods.set(uid, after);
        return after;
      },
      create: async (_: unknown, __: unknown, event: { reason: string }) => {
        this.ask('POST');
        this.events.push(event.reason);
      },
    } as unknown as KubernetesApi;
    const logger = withoutRepeats(new Recorder(this.said), () => clock.now());
    const metrics = new Metrics();
    this.writer = new StatusWriter({
      api,
      book,
      pods: { get: (uid) => pods.get(uid) },
      clock,
      random: new SeededRandom(1),
      logger,
      metrics,
      aside: new AsideItems({ loop: 'statuses', clock, logger, metrics }),
      nodeName: 'n',
    });
    this.writer.resume();
  }

  pod(
    uid: string,
    status: Record<string, unknown> = { phase: 'Pending' },
    metadata: Record<string, unknown> = {},
  ): void {
    this.pods.set(uid, {
      metadata: { name: uid, namespace: 'n', uid, resourceVersion: '1', ...metadata },
      spec: {},
      status,
    });
  }

  say(uid: string, revision: number, phase: string, more: Partial<PodStatusMessage> = {}): void {
    this.writer.onMessage({
      kind: 'PodStatus',
      schemaVersion: 1,
      podUid: uid,
      namespace: 'n',
      name: uid,
      revision,
      status: { phase, conditions: [] },
      annotations: {},
      finalize: false,
      events: [],
      ...more,
    });
  }

  /** What a person sees of the pod. */
  phase(uid: string): unknown {
    return (this.stored.get(uid) ?? this.pods.get(uid))?.status?.phase;
  }

  showWrites(): void {
    for (const [uid, object] of this.stored) {
      const previous = this.pods.get(uid)!;
      this.pods.set(uid, object);
      this.writer.onChange({ kind: 'modified', object, previous });
    }
  }

  private ask(request: string): void {
    this.asked += 1;
    if (this.away) throw new KubernetesError({ request, status: 0, reason: 'Unreachable', detail: 'ECONNREFUSED' });
  }
}

const LABELLED = { labels: { 'serverless.alibabacloud.com/virtual-node': 'true' } };

describe('the status writer', () => {
  it('answers kubectl debug once, with a container that has ended, and leaves the pod as it is', async () => {
    const world = new World();
    world.pod('a');
    world.say('a', 1, 'Running');
    await world.clock.advance(5_000);
    const previous = world.pods.get('a')!;

    const object = { ...previous, spec: { ephemeralContainers: [{ name: 'debugger', image: 'busybox' }] } };
    world.pods.set('a', object);
    world.writer.onChange({ kind: 'modified', object, previous });
    await world.clock.advance(5_000);

    const answered = world.pods.get('a')!;
    expect(answered.status).toMatchObject({
      phase: 'Running',
      ephemeralContainerStatuses: [
        {
          name: 'debugger',
          state: { terminated: { exitCode: 1, reason: 'NotSupported', message: expect.any(String) } },
        },
      ],
    });
    const { length } = world.patches;
    world.writer.onChange({ kind: 'modified', object: answered, previous: object });
    world.say('a', 2, 'Running');
    await world.clock.advance(5_000);
    expect(world.patches).toHaveLength(length);
  });

  it('writes the progress of a single pod at once', async () => {
    const world = new World();
    world.pod('a');

    world.say('a', 1, 'Pending');
    await world.clock.advance(0);

    expect(world.patches).toMatchObject([{ name: 'a', phase: 'Pending' }]);
  });

  it('writes one status for most pods of a storm that run within seconds', async () => {
    const world = new World();
    const uids = Array.from({ length: 1_000 }, (_, i) => `p${i}`);
    for (const uid of uids) world.pod(uid);

    for (const uid of uids) world.say(uid, 1, 'Pending');
    await world.clock.advance(1_000);
    for (const uid of uids) world.say(uid, 2, 'Running');
    await world.clock.advance(20_000);

    expect(world.patches.filter(({ phase }) => phase === 'Running')).toHaveLength(1_000);
    expect(world.patches.length).toBeLessThan(1_050);
    expect(world.writer.backlog).toBe(0);
  });

  it('writes the progress of all pods of a storm that do not run, within seconds', async () => {
    const world = new World();
    const uids = Array.from({ length: 1_000 }, (_, i) => `p${i}`);
    for (const uid of uids) world.pod(uid);

    for (const uid of uids) world.say(uid, 1, 'Pending');
    await world.clock.advance(0);
    expect(world.patches).toHaveLength(20);
    await world.clock.advance(11_000);

    expect(new Set(world.patches.map(({ name }) => name)).size).toBe(1_000);
    for (const uid of uids) expect(world.book.written(uid)).toBe(1);
  });

  it('takes note of what the API server shows already, and writes only the rest', async () => {
    const world = new World();
    world.writer.pause();
    world.pod('shown', { phase: 'Running', conditions: [] }, LABELLED);
    world.pod('old', { phase: 'Pending', conditions: [] }, LABELLED);
    world.say('shown', 7, 'Running');
    world.say('old', 8, 'Running');
    world.say('gone', 9, 'Running');

    world.writer.compare();

    expect(['shown', 'old', 'gone'].map((uid) => world.book.written(uid))).toEqual([7, undefined, undefined]);
    world.writer.resume();
    await world.clock.advance(0);
    expect(world.patches.map(({ name }) => name)).toEqual(['old']);
  });

  it('tells the story that a newer message adds to a status which is written', async () => {
    const world = new World();
    world.pod('a');
    world.say('a', 1, 'Running');
    await world.clock.advance(0);
    const at = new Date(world.clock.now()).toISOString();

    world.say('a', 2, 'Running', { events: [{ id: 'e', type: 'Normal', reason: 'Pulled', message: 'm', at }] });
    await world.clock.advance(0);

    expect(world.patches).toHaveLength(1);
    expect(world.events).toEqual(['Pulled']);
    // Told once, and not kept; a newer message brings it again, which is no reason to tell it again.
    expect(world.book.newest('a')?.events).toEqual([]);
    world.say('a', 3, 'Running', { events: [{ id: 'e', type: 'Normal', reason: 'Pulled', message: 'm', at }] });
    await world.clock.advance(0);
    expect(world.events).toEqual(['Pulled']);
  });

  it('asks an API server that is away rarely, says so once a minute, and writes the newest of every pod after it', async () => {
    const world = new World();
    const uids = Array.from({ length: 12 }, (_, i) => `p${i}`);
    for (const uid of uids) {
      world.pod(uid);
      world.say(uid, 1, 'Running');
    }
    await world.clock.advance(0);
    world.away = true;
    const askedBefore = world.asked;

    for (const uid of uids) world.say(uid, 2, 'Failed');
    await world.clock.advance(0);
    await world.clock.advance(600_000);

    expect(world.said.length).toBeGreaterThanOrEqual(8);
    expect(world.said.length).toBeLessThanOrEqual(11);
    // A probe every few seconds, beside those that were on their way together.
    expect(world.asked - askedBefore).toBeLessThanOrEqual(12 + 150);
    for (const uid of uids) world.say(uid, 3, 'Succeeded');
    world.away = false;
    await world.clock.advance(0);
    await world.clock.advance(60_000);
    expect(world.patches.filter(({ phase }) => phase === 'Failed')).toEqual([]);
    for (const uid of uids) expect(world.book.written(uid)).toBe(3);
  });

  it('leaves no old status when the watch does not show its last write yet', async () => {
    const world = new World();
    world.lateWatch = true;
    world.pod('a', { phase: 'Running', conditions: [] }, LABELLED);

    world.say('a', 1, 'Pending');
    await world.clock.advance(0);
    world.say('a', 2, 'Running');
    await world.clock.advance(30_000);
    expect(world.phase('a')).toBe('Running');
    world.showWrites();
    await world.clock.advance(30_000);

    expect(world.phase('a')).toBe('Running');
    expect(world.writer.backlog).toBe(0);
  });

  it('ends at the newest status, whatever comes between messages, writes and what the watch shows of them', async () => {
    const step = fc.constantFrom('Pending', 'Running', 'late', 'shown', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const world = new World();
        world.pod('a', { phase: 'Running', conditions: [] }, LABELLED);
        let revision = 0;
        let newest = 'Running';
        for (const each of steps) {
          if (each === 'late') world.lateWatch = true;
          else if (each === 'shown') world.showWrites();
          else if (each === 'wait') await world.clock.advance(0);
          else world.say('a', ++revision, (newest = each));
        }
        await world.clock.advance(60_000);

        expect(world.phase('a')).toBe(newest);
      }),
    );
  });

  it('writes the newest revision alone of a topic that it has read to its end', async () => {
    const world = new World();
    const topic = new WholeTopic(world.writer);
    topic.onPods();
    topic.onTopic('part');
    world.pod('a', { phase: 'Running', conditions: [] }, LABELLED);
    for (const [revision, phase] of ['Pending', 'Pending', 'Running', 'Failed'].entries()) {
      world.say('a', revision + 1, phase);
      await world.clock.advance(1_000);
    }
    expect(world.asked).toBe(0);

    topic.onTopic('whole');
    await world.clock.advance(30_000);

    expect(world.patches.map(({ phase }) => phase)).toEqual(['Failed']);
  });

  it('waits for both the pods and the end of the topic, and once more when the topic begins anew', async () => {
    const world = new World();
    world.writer.pause();
    const topic = new WholeTopic(world.writer);
    world.pod('a', { phase: 'Pending', conditions: [] }, LABELLED);
    const saysAndWrites = async (revision: number, phase: string): Promise<unknown> => {
      world.say('a', revision, phase);
      await world.clock.advance(30_000);
      return world.phase('a');
    };

    topic.onTopic('whole');
    expect(await saysAndWrites(1, 'Running')).toBe('Pending');
    topic.onPods();
    expect(await saysAndWrites(2, 'Running')).toBe('Running');
    topic.onTopic('part');
    expect(await saysAndWrites(3, 'Failed')).toBe('Running');
    topic.onTopic('whole');
    await world.clock.advance(30_000);

    expect(world.phase('a')).toBe('Failed');
  });
});
