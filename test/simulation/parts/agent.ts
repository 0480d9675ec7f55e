import { agentGroup, topics, type SessionResponse } from '#libs/contracts';
import type { Change, KubernetesApi, PodObject } from '#libs/kubernetes';
import type { Messaging } from '#libs/messaging';
import { AsideItems, type Logger } from '#libs/observability';
import type { Ids, Random } from '#libs/runtime';
import { Commands } from '../../../services/agent/src/inventory/commands.ts';
import { Inventories } from '../../../services/agent/src/inventory/inventories.ts';
import type { PodEvents } from '../../../services/agent/src/events/pod-events.ts';
import { PodIntents } from '../../../services/agent/src/pods/pod-intents.ts';
import { IntentPublisher } from '../../../services/agent/src/publish/intent-publisher.ts';
import type { Resolver } from '../../../services/agent/src/resolve/resolver.ts';
import type { Session } from '../../../services/agent/src/session/session.ts';
import { ClusterTopicReader } from '../../../services/agent/src/status/cluster-topic-reader.ts';
import { StatusBook } from '../../../services/agent/src/status/status-book.ts';
import { StatusWriter } from '../../../services/agent/src/status/status-writer.ts';
import { WholeTopic } from '../../../services/agent/src/status/whole-topic.ts';
import type { StatusProof } from '../../../services/control-plane/src/keys/status-keys.ts';
import { Bell } from '../engine/bell.ts';
import type { Process } from '../engine/process.ts';
import type { Scheduler } from '../engine/scheduler.ts';
import type { ApiServer, Pod, PodChange } from './api-server.ts';
import { noMetrics } from './no-metrics.ts';
import { inChunks } from './splitting.ts';

interface AgentParts {
  readonly fleet: string;
  readonly clusterId: string;
  readonly scheduler: Scheduler;
  readonly process: Process;
  readonly messaging: Messaging;
  readonly api: ApiServer;
  readonly resolver: (pod: Pod, now: number) => Awaited<ReturnType<Resolver['resolve']>>;
  readonly epoch: number;
  readonly key: { readonly kid: string; readonly key: Uint8Array };
  /** What a call for the session is answered, as far as it proves statuses. */
  readonly proof: () => Promise<StatusProof>;
  readonly inventorySeconds: number;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
}

const NODE = 'virtual-kubelet';
const RENEW_MS = 60_000;

/** Pods of the node as a watch brings them: late, in order, and listed anew after an outage. */
class WatchedPods {
  private readonly known = new Map<string, Pod>();
  private readonly parts: AgentParts;
  private readonly ready = Promise.withResolvers<void>();
  private lastAt = 0;
  onChange: (change: PodChange) => void = () => undefined;

  constructor(parts: AgentParts) {
    this.parts = parts;
  }

  get size(): number {
    return this.known.size;
  }

  get(uid: string): Pod | undefined {
    return this.known.get(uid);
  }

  values(): IterableIterator<Pod> {
    return this.known.values();
  }

  synced(): Promise<void> {
    return this.ready.promise;
  }

  async start(): Promise<void> {
    const { api, process } = this.parts;
    const unsubscribe = api.subscribe(
      (change) => {
        if (process.alive) this.soon(() => this.apply(change));
        else unsubscribe();
      },
      () => process.deliver(() => void this.list()),
    );
    await this.list();
    this.ready.resolve();
  }

  private async list(): Promise<void> {
    const { api, process } = this.parts;
    for (;;) {
      try {
        const pods = await process.call('kube.list', () => api.list());
        const here = new Set(pods.map((pod) => pod.metadata.uid));
        for (const pod of [...this.known.values()])
          if (!here.has(pod.metadata.uid)) this.apply({ kind: 'deleted', object: pod });
        for (const object of pods) this.apply({ kind: 'modified', object });
        return;
      } catch {
        await process.clock.sleep(1_000);
      }
    }
  }

  private apply({ object, kind }: PodChange): void {
    const { uid, resourceVersion } = object.metadata;
    const before = this.known.get(uid);
    if (kind === 'deleted') {
      if (!this.known.delete(uid)) return;
      this.onChange({ kind, object });
    } else if (!before || Number(before.metadata.resourceVersion) < Number(resourceVersion)) {
      // A change that was on its way when the list was taken must not bring a removed pod back.
      if (!before && !this.parts.api.get(uid)) return;
      this.known.set(uid, object);
      this.onChange({ kind: before ? 'modified' : 'added', object });
    }
  }

  private soon(run: () => void): void {
    const { scheduler, random, process } = this.parts;
    this.lastAt = Math.max(this.lastAt, scheduler.now + Math.floor(random.next() * 20));
    scheduler.at(this.lastAt, () => process.deliver(run));
  }
}

/** The verbs that the agent uses, against the API server of its cluster. Events are written into the void. */
function kubernetesApi({ api, process }: AgentParts): KubernetesApi {
  const nameOf = (place: { readonly name?: string | undefined }): string => place.name ?? '';
  const verbs = {
    find: (_: unknown, place: { name?: string }) => process.call('kube.get', () => api.find(nameOf(place))),
    list: () => process.call('kube.list', () => ({ items: api.list(), resourceVersion: '1' })),
    patch: (_: unknown, place: { name?: string }, _kind: unknown, patch: Record<string, unknown>) =>
      process.call('kube.patch', () => api.patchStatus(nameOf(place), patch)),
    delete: (_: unknown, place: { name?: string }, { uid }: { uid: string }) =>
      process.call('kube.delete', () => api.delete(nameOf(place), uid)),
    create: () => Promise.resolve(),
  };
  return verbs as unknown as KubernetesApi;
}

/** One start of a cluster's agent: the product's own parts around a watch, an API server and a session that are simulated. */
export class SimulatedAgent {
  private readonly parts: AgentParts;

  constructor(parts: AgentParts) {
    this.parts = parts;
  }

  async start(): Promise<void> {
    const { parts } = this;
    const { fleet, clusterId, process, messaging, random, ids, logger, scheduler } = parts;
    const clock = process.clockWith({ bell: new Bell(scheduler), maxMs: () => 30_000, fromMs: 1_000 });
    const metrics = noMetrics;
    const api = kubernetesApi(parts);
    const pods = new WatchedPods(parts);
    const book = new StatusBook();
    const session = sessionOf(parts);
    const asideOf = (loop: string): AsideItems => new AsideItems({ loop, clock: process.clock, logger, metrics });
    const writer = new StatusWriter({
      api,
      book,
      pods,
      clock: process.clock,
      random,
      logger,
      metrics,
      nodeName: NODE,
      aside: asideOf('statuses'),
    });
    const publisher = new IntentPublisher({ messaging, session, clock, random, logger, metrics });
    const events = { say: () => undefined, forget: () => undefined } as unknown as PodEvents;
    const resolver = {
      resolve: (pod: Pod) => process.call('kube.resolve', () => parts.resolver(pod, process.clock.now())),
    } as unknown as Resolver;
    const intents = new PodIntents({
      pods,
      resolver,
      publisher,
      events,
      clock: process.clock,
      random,
      logger,
      aside: asideOf('intents'),
    });
    const caughtUp = Promise.withResolvers<void>();
    const inventories = new Inventories({
      pods,
      publisher: inChunks(publisher),
      view: {
        revision: (uid) => book.kept(uid),
        waitingFor: (pod) => intents.waitingFor(pod),
        onTopic: () => book.uids(),
      },
      clock: process.clock,
      random,
      ids,
      logger,
      periodSeconds: parts.inventorySeconds,
      aside: asideOf('inventories'),
      ready: Promise.race([caughtUp.promise, process.clock.sleep(30_000)]),
    });
    const commands = new Commands({
      api,
      pods,
      intents,
      inventories,
      nameOf: (uid) => book.newest(uid),
      nodeName: NODE,
      clock: process.clock,
      random,
      logger,
      aside: asideOf('rechecks'),
    });
    const reader = new ClusterTopicReader({
      writer,
      onCommand: (command) => commands.onCommand(command),
      askSession: () => renewal.abort(),
      onLost: () => inventories.sendNow(),
      logger,
      metrics,
      clock: process.clock,
      random,
      aside: asideOf('messages'),
    });
    const wholeTopic = new WholeTopic(writer);
    pods.onChange = (each) => {
      const change = each as Change<PodObject>;
      writer.onChange(change);
      intents.onChange(change);
    };
    let renewal = new AbortController();
    const renew = async (): Promise<void> => {
      const askedAt = process.clock.monotonic();
      const { keys, proven } = await process.call('session.renew', parts.proof);
      const statusKeys = keys.map(({ kid, key }) => ({ kid, key: Buffer.from(key).toString('base64url') }));
      reader.onSession({ statusKeys, statusesProven: proven }, askedAt);
    };
    for (let answered = false; !answered;)
      answered = await renew().then(
        () => true,
        () => process.clock.sleep(1_000).then(() => false),
      );
    void (async () => {
      for (;;) {
        await process.clock.sleep(RENEW_MS, renewal.signal);
        renewal = new AbortController();
        await renew().catch(() => process.clock.sleep(1_000));
      }
    })();
    publisher.start();
    let turn = 0;
    await messaging.consume({
      topics: [topics(fleet).cluster(clusterId)],
      group: agentGroup(fleet, clusterId),
      handle: (batch) => {
        reader.handle(batch);
        return Promise.resolve();
      },
      onEvent: ({ kind }) => {
        if (kind === 'behind') wholeTopic.onTopic('part');
        if (kind === 'behind') turn += 1;
        if (kind !== 'caught-up') return;
        const before = turn;
        void reader.decided().then(() => {
          if (before !== turn) return;
          wholeTopic.onTopic('whole');
          caughtUp.resolve();
        });
      },
    });
    await pods.start();
    commands.resume();
    intents.resume();
    inventories.start();
    wholeTopic.onPods();
  }
}

function sessionOf({ fleet, clusterId, epoch, key }: AgentParts): Session {
  const session: SessionResponse = {
    clusterId,
    fleet,
    agentEpoch: epoch,
    accessToken: '',
    accessTokenExpiresAt: '',
    renewAfterSeconds: 60,
    envelopeKeys: [],
    kafka: { brokers: [], security: 'plaintext', tls: false },
    sealsPods: true,
  };
  return { speaking: true, session, envelopeKey: () => key } as unknown as Session;
}
