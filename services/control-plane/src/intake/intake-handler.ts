import { isAlive, isCounted, streamIdOf, type ContainerGroupState } from '#libs/domain';
import { isBadData, type AppendResult, type EventStore, type InboxMove, type StreamAppend } from '#libs/event-store';
import type { Batch, Messaging } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import { allEnded, type Clock } from '#libs/runtime';
import type { StopGuard } from '../holds/ports.ts';
import { whoseFault } from '../clusters/whose-fault.ts';
import type { StreamVault } from '../keys/stream-vault.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import type { Allowance, ClusterBudgets } from './cluster-budgets.ts';
import { decideStream, type PodMessage } from './decide-stream.ts';
import type { InventoryDesk } from './inventory-desk.ts';
import { intakeMetrics, type IntakeMetrics } from './metrics.ts';
import {
  type ClusterSource,
  type Deferrals,
  type EnvelopeKeySource,
  type QuarantineDesk,
  type Sender,
  type StatusPublisher,
} from './ports.ts';
import { PutAside, type Aside } from './put-aside.ts';
import { MessageReader, type ReadMessage } from './read-message.ts';

interface IntakeHandlerParts {
  readonly fleet: string;
  /** Consumer group whose offset moves with the appends. */
  readonly group: string;
  readonly messaging: Messaging;
  readonly store: EventStore;
  readonly streams: StreamCommands;
  readonly vault: StreamVault;
  readonly keys: EnvelopeKeySource;
  readonly clusters: ClusterSource;
  readonly quarantine: QuarantineDesk;
  readonly inventories: InventoryDesk;
  readonly statuses: StatusPublisher;
  readonly guard: StopGuard;
  readonly budgets: ClusterBudgets;
  readonly deferrals: Deferrals;
  /** Told when something was deferred. */
  readonly onDeferred: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * One batch of intents as one append: the events of all its pods and the partition's offset together, or nothing. What cannot be understood, or
 * applied, goes to the quarantine and the partition moves on; a database or a broker that is away makes it wait.
 */
export class IntakeHandler {
  private readonly parts: IntakeHandlerParts;
  private readonly metrics: IntakeMetrics;
  private readonly aside: PutAside;
  private readonly reader: MessageReader;

  constructor(parts: IntakeHandlerParts) {
    this.parts = parts;
    this.metrics = intakeMetrics(parts.metrics);
    this.aside = new PutAside({ ...parts, metrics: this.metrics });
    this.reader = new MessageReader(parts);
  }

  async handle(batch: Batch): Promise<void> {
    const allowance = this.parts.budgets.begin(this.parts.clock.now());
    try {
      await this.handleWithin(allowance, batch);
    } catch (error) {
      allowance.giveBack();
      throw error;
    }
  }

  private async handleWithin(allowance: Allowance, batch: Batch): Promise<void> {
    const began = this.parts.clock.now();
    const pods = new Map<string, PodMessage[]>();
    const inventories: Extract<ReadMessage, { kind: 'Inventory' }>[] = [];
    const misunderstood: Aside[] = [];
    const over = new Map<string, Set<string>>();
    const kinds: ReadMessage['kind'][] = [];
    for (const message of batch.messages) {
      const read = await this.reader.read(message, allowance);
      kinds.push(read.kind);
      if (read.kind === 'misunderstood') {
        misunderstood.push({ message, reason: read.reason, sender: read.sender, clear: read.clearText });
      } else if (read.kind === 'OverBudget') {
        const subjects = over.get(read.clusterId) ?? new Set();
        over.set(read.clusterId, subjects.add(read.subject));
      } else if (read.kind === 'Inventory') {
        inventories.push(read);
      } else {
        const streamId = streamIdOf(read.clusterId, read.kind === 'RunPod' ? read.body.pod.uid : read.body.uid);
        const former = pods.get(streamId);
        if (former) former.push(read);
        else pods.set(streamId, [read]);
      }
    }
    const { group } = this.parts;
    const { topic, partition, epoch, from, next } = batch;
    const inbox: InboxMove = { group, topic, epoch, partition, from, to: next };
    if (misunderstood.length + over.size + inventories.length === 0) {
      await this.apply(batch, pods, inbox);
    } else {
      // Pods do not wait for what is put aside. An inventory is compared with all that came before it; only then has the batch been handled.
      // A batch that comes again must not meet itself.
      await allEnded([
        pods.size === 0 ? undefined : this.apply(batch, pods, undefined),
        this.aside.put(batch, misunderstood),
      ]);
      for (const [clusterId, subjects] of over) await this.defer(clusterId, subjects);
      for (const { clusterId, body } of inventories) await this.parts.inventories.take(clusterId, body);
      await this.parts.store.append([], inbox);
    }
    // Only now: a batch that is tried again is the same messages.
    for (const kind of kinds) this.metrics.messages.inc({ kind });
    this.metrics.batchSeconds.observe((this.parts.clock.now() - began) / 1000);
    this.metrics.batchMessages.observe(batch.messages.length);
  }

  /** Puts the message of a batch of one aside, which fails whatever is tried, and moves the offset over it. */
  async giveUpOn(batch: Batch, error: unknown): Promise<void> {
    const { topic, partition, epoch, from, next } = batch;
    // What was thrown may quote the message, secrets and all.
    const name = error instanceof Error ? error.name : 'unknown error';
    const reason = `the message cannot be handled, however often it is tried (${name})`;
    for (const message of batch.messages) {
      const sender = await this.reader.senderOf(message).catch((): Sender => ({ proven: false }));
      await this.aside.put(batch, [{ message, reason, sender }]);
    }
    await this.parts.store.append([], { group: this.parts.group, topic, epoch, partition, from, to: next });
  }

  /** What is over a budget is passed over, so that nobody waits behind it; the API server still has it, and is asked for it later. */
  private async defer(clusterId: string, subjects: ReadonlySet<string>): Promise<void> {
    await this.parts.deferrals.defer(clusterId, [...subjects]);
    this.parts.onDeferred();
    this.metrics.overBudget.inc({ cluster: clusterId }, subjects.size);
    this.parts.logger.warn('a cluster sends more than its budget; what is over is asked for again', {
      clusterId,
      pods: subjects.size,
    });
  }

  private async apply(
    batch: Batch,
    pods: ReadonlyMap<string, readonly PodMessage[]>,
    inbox: InboxMove | undefined,
  ): Promise<void> {
    const { streams } = this.parts;
    const written = await streams.executeMany([...pods.keys()], {
      decide: (states) => this.decide(batch, pods, states),
      append: async (appends) => {
        const results = await this.append(batch, appends, pods, inbox);
        const conflicts = results.filter((result) => !result.ok).length;
        if (conflicts > 0) this.metrics.conflicts.inc(conflicts);
        return results;
      },
    });
    for (const { streamId, removedEffects } of written) {
      const clusterId = pods.get(streamId)?.[0]?.clusterId;
      for (const { kind, key } of removedEffects) {
        if (kind !== 'Create' || !clusterId) continue;
        await streams.execute(
          streamId,
          { type: 'RecordNeverSent', attempt: Number(key) },
          { actor: `agent:${clusterId}`, causationId: `kafka:${batch.topic}/${batch.partition}@${batch.from}` },
        );
      }
    }
  }

  /** What is to be appended to streams in these states; messages that cannot be applied are put aside. */
  private async decide(
    batch: Batch,
    pods: ReadonlyMap<string, readonly PodMessage[]>,
    states: ReadonlyMap<string, ContainerGroupState>,
  ): Promise<readonly StreamAppend[]> {
    const { store, vault, streams, clock } = this.parts;
    const pending = states.size === pods.size ? pods : new Map([...pods].filter(([streamId]) => states.has(streamId)));
    // Only a stream that exists can have a key.
    const keys = await store.readSealed(
      [...pending].flatMap(([id, messages]) =>
        states.get(id)?.version !== 0 && messages.some(({ kind }) => kind === 'RunPod') ? [id] : [],
      ),
    );
    const holds = await this.askGuard(pending, states);
    await this.takeBackStatuses(pending, states);
    const at = new Date(clock.now()).toISOString();
    const appends: StreamAppend[] = [];
    const failed: { message: PodMessage; error: unknown }[] = [];
    for (const [streamId, messages] of pending) {
      const decision = decideStream({
        streamId,
        before: states.get(streamId) as ContainerGroupState,
        wrapped: keys.get(streamId),
        messages,
        hold: holds.get(streamId),
        at,
        causeOf: ({ message }) => `kafka:${batch.topic}/${batch.partition}@${message.offset}`,
        vault,
        newId: () => streams.newId(),
      });
      if (decision.append) appends.push(decision.append);
      failed.push(...decision.failed);
    }
    await this.aside.put(
      batch,
      failed.map(({ message, error }) => unappliable(message, error)),
    );
    return appends;
  }

  /** An object that came back after its tombstone has gone again: what was said of it meanwhile is taken from its topic. */
  private async takeBackStatuses(
    pods: ReadonlyMap<string, readonly PodMessage[]>,
    states: ReadonlyMap<string, ContainerGroupState>,
  ): Promise<void> {
    const gone = [...pods].filter(
      ([streamId, messages]) =>
        states.get(streamId)?.podObjectGone &&
        messages.some((each) => each.kind === 'StopPod' && each.body.reason !== 'Deleted'),
    );
    if (gone.length === 0) return;
    try {
      await this.parts.statuses.publish(gone.map(([streamId]) => streamId));
    } catch (error) {
      if (whoseFault(error) !== 'cluster') throw error;
      // The others have been told; its agent will name what it finds left over, once its topic can be written.
      this.parts.logger.warn('a cluster cannot be told that pods have gone; its next inventory asks for it', { error });
    }
  }

  /** Which streams' stops must wait for an operator; answers their holds. Nobody is asked when nothing counts, which is nearly always. */
  private async askGuard(
    pods: ReadonlyMap<string, readonly PodMessage[]>,
    states: ReadonlyMap<string, ContainerGroupState>,
  ): Promise<ReadonlyMap<string, string>> {
    const asked = new Map<string, Map<string, string>>();
    for (const [streamId, messages] of pods) {
      const stop = messages.find((message) => message.kind === 'StopPod' && isCounted(message.body));
      const state = states.get(streamId) as ContainerGroupState;
      const alive = isAlive(state) || (state.version === 0 && messages.some(({ kind }) => kind === 'RunPod'));
      if (stop?.kind !== 'StopPod' || !alive || state.held) continue;
      const ofCluster = asked.get(stop.clusterId);
      if (ofCluster) ofCluster.set(stop.body.uid, streamId);
      else asked.set(stop.clusterId, new Map([[stop.body.uid, streamId]]));
    }
    const holds = new Map<string, string>();
    for (const [clusterId, streamOf] of asked) {
      for (const [uid, hold] of await this.parts.guard.admit(clusterId, [...streamOf.keys()]))
        holds.set(streamOf.get(uid) as string, hold);
    }
    return holds;
  }

  /** One append; when some stream's data can never be stored, stream by stream, so that only its messages are put aside. */
  private async append(
    batch: Batch,
    appends: readonly StreamAppend[],
    pods: ReadonlyMap<string, readonly PodMessage[]>,
    inbox: InboxMove | undefined,
  ): Promise<readonly AppendResult[]> {
    const { store } = this.parts;
    try {
      return await store.append(appends, inbox);
    } catch (error) {
      if (!isBadData(error)) throw error;
    }
    const results: AppendResult[] = [];
    for (const append of appends) {
      try {
        results.push(...(await store.append([append])));
      } catch (error) {
        if (!isBadData(error)) throw error;
        const messages = pods.get(append.streamId) ?? [];
        await this.aside.put(
          batch,
          messages.map((message) => unappliable(message, error)),
        );
      }
    }
    if (inbox && results.every((result) => result.ok)) await store.append([], inbox);
    return results;
  }
}

/** What was thrown may quote the message, secrets and all: its name is said, and the message itself is kept sealed. */
function unappliable({ message, clusterId, clear }: PodMessage, error: unknown): Aside {
  const name = error instanceof Error ? error.name : 'unknown error';
  const reason = `the message cannot be applied to its stream (${name})${isBadData(error) ? ': its data cannot be stored' : ''}`;
  return { message, reason, sender: { proven: true, clusterId }, clear: JSON.stringify(clear) };
}
