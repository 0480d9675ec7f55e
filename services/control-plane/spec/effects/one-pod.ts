import {
  streamIdOf,
  type ContainerGroupCommand,
  type ContainerGroupState,
  type EffectKind,
  type REMOVE_ORPHAN,
} from '#libs/domain';
import type { FrozenCreate } from '#libs/eci';
import {
  aroundEachCall,
  InMemoryDatabase,
  InMemoryEffectQueue,
  InMemoryEventStore,
  InMemoryGateQueue,
  type EffectChange,
  type EffectQueue,
  type EffectRow,
  type EventStore,
  type JsonObject,
} from '#libs/event-store';
import { Metrics, silentLogger } from '#libs/observability';
import { Random, SystemIds, VirtualClock } from '#libs/runtime';
import { expect } from 'vitest';
import { inputOf } from '../../../../libs/kubernetes/spec/pod-samples.ts';
import { LEASE_MS, type EffectHandler } from '../../src/effects/held-effect.ts';
import { ACTOR, type EffectParts } from '../../src/effects/ports.ts';
import { CreateSender } from '../../src/effects/send-create.ts';
import { effectTools, type EffectTools } from '../../src/effects/tools.ts';
import type { SealedIntent } from '../../src/intake/run-pod.ts';
import { MasterKey } from '../../src/keys/master-key.ts';
import { createPurpose, INTENT, StreamVault, type StreamKey } from '../../src/keys/stream-vault.ts';
import { StreamCommands } from '../../src/streams/stream-commands.ts';
import { ScriptedEci } from './scripted-eci.ts';

export const STREAM = streamIdOf('k1', 'u1');

/** What its attempt 1 sends, when the attempt was told and not made by the handler. */
export const FROZEN: FrozenCreate = {
  accountId: 'acc',
  region: 'cn-hangzhou',
  clientToken: 'token-1',
  request: '{"name":"web"}',
  digest: 'd',
};

type Work = EffectKind | typeof REMOVE_ORPHAN;

const LANES: Readonly<Record<Work, string>> = {
  Place: 'acc/cn-hangzhou/create',
  Create: 'acc/cn-hangzhou/create',
  Delete: 'acc/cn-hangzhou/delete',
  LookUp: 'acc/cn-hangzhou/describe',
  Confirm: 'acc/cn-hangzhou/describe',
  Refresh: 'local',
  RemoveOrphan: 'acc/cn-hangzhou/delete',
};
const QUOTA = { rate: 10, burst: 10 };

/** Appends that wait for company are sent at once. */
export class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

/** Half of every range. */
class Middle extends Random {
  next(): number {
    return 0.5;
  }
}

type Tools = EffectTools & { readonly sender: CreateSender };

type MakeHandler = (parts: EffectParts, tools: Tools) => EffectHandler;

/** A row as it is left; what is not said is as here. */
const LEFT = { afterMs: 0, mayHaveBeenSent: false, data: {} as JsonObject, held: false };

interface Expected {
  /** Whole, but for the time and the ids. Default: none. */
  readonly events?: readonly { readonly type: string; readonly data: object; readonly cause: string }[];
  /** Every row of the pod by its name, such as `Delete eci-1`; `held`: by whoever claimed it. Default: none. */
  readonly rows?: Readonly<Record<string, Partial<typeof LEFT>>>;
  /** Calls of the cloud. Default: none. */
  readonly calls?: readonly string[];
}

/**
 * One pod on the store in memory: what happened to it, the work beside its stream, a replica that does it with one handler, and a cloud that says what
 * it is told to. Time stands still unless it is moved.
 */
export class OnePod {
  readonly clock = new NoWaits();
  readonly eci = new ScriptedEci();
  /** Commands to agents, such as `k1: Refresh u1 u2`. */
  readonly asked: string[] = [];
  /** Clusters whose agents cannot be spoken to. */
  readonly unreachable = new Set<string>();
  /** Outcomes that gates were told, such as `account/acc/AUTH refused`. */
  readonly told: string[] = [];
  /** Groups of the place that streams should have: id → stream. */
  readonly known = new Map<string, string>();
  private readonly database = new InMemoryDatabase({ clock: this.clock });
  private readonly store = this.disturbed<EventStore>(new InMemoryEventStore(this.database));
  private readonly queue = this.disturbed<EffectQueue>(new InMemoryEffectQueue(this.database));
  private readonly subject: string;
  private readonly handler: EffectHandler;
  private readonly tools: EffectTools;
  private readonly streams: StreamCommands;
  private readonly vault = new StreamVault(new MasterKey(Buffer.alloc(32, 7)));
  private readonly keys = new Map<string, StreamKey>();
  private readonly disturbances = new Map<string, (() => Promise<unknown>)[]>();
  private isDisturbed = false;
  private eventsBefore = 0;
  private callsBefore = 0;

  /** `subject`: the stream whose work is looked at. */
  constructor(make: MakeHandler, subject = STREAM) {
    this.subject = subject;
    const { clock, eci, store, queue, vault } = this;
    const random = new Middle();
    const ids = new SystemIds();
    this.streams = new StreamCommands({ store, clock, ids });
    const gates = aroundEachCall(new InMemoryGateQueue(this.database), async ({ method, args }, run) => {
      if (method === 'report') this.told.push(args.join(' '));
      return run();
    });
    const parts: EffectParts = {
      fleet: 'f',
      store,
      queue,
      gates,
      clients: eci,
      streams: this.streams,
      vault,
      scopes: { ensure: () => Promise.resolve(), knownGroups: () => Promise.resolve(this.known) },
      agents: {
        sendCommand: (clusterId, command) => {
          this.asked.push([`${clusterId}:`, command.name, ...('uids' in command ? command.uids : [])].join(' '));
          return this.unreachable.has(clusterId)
            ? Promise.reject(new Error(`${clusterId} is away`))
            : Promise.resolve(true);
        },
      },
      clock,
      random,
      ids,
      logger: silentLogger,
      metrics: new Metrics(),
    };
    this.tools = effectTools(parts);
    this.handler = make(parts, { ...this.tools, sender: new CreateSender(parts, this.tools) });
    for (const lane of new Set(Object.values(LANES))) if (lane !== 'local') void queue.configureLane(lane, QUOTA);
  }

  /** Somebody else decides these, one after the other, with all that follows from them. */
  async say(...commands: readonly ContainerGroupCommand[]): Promise<void> {
    for (const command of commands) await this.sayOf(STREAM, command);
  }

  async sayOf(streamId: string, command: ContainerGroupCommand, intent = sampleIntent()): Promise<void> {
    const key = this.keyOf(streamId);
    const sealed = { put: { ...key.wrapped, sealed: key.seal(intent, INTENT) } };
    await this.streams.execute(streamId, command, {
      actor: 'somebody',
      ...(command.type === 'RunPod' && { sealed }),
      effects: () => this.besides(streamId, command),
    });
  }

  /** The rows that go with commands which only handlers decide, as they put and end them. */
  private besides(streamId: string, command: ContainerGroupCommand): readonly EffectChange[] {
    if (command.type === 'ChoosePlacement') {
      const { attempt } = command.choice;
      const sealed = this.keyOf(streamId).seal(FROZEN, createPurpose(attempt));
      return [
        { op: 'remove', kind: 'Place', key: 'next', unlessClaimed: false },
        { ...rowOf('Create', `${attempt}`), sealed },
      ];
    }
    if (command.type !== 'RecordCreate' || command.outcome.kind === 'unknown') return [];
    return [{ op: 'remove', kind: 'Create', key: `${command.attempt}`, unlessClaimed: false }];
  }

  /** Work that follows from no command. */
  async put(kind: Work, key: string, data: JsonObject = {}, streamId = this.subject): Promise<void> {
    const expected = this.database.events(streamId).length;
    await this.store.append([{ streamId, expected, events: [], effects: [rowOf(kind, key, data)] }]);
  }

  /** Its secrets are not there any more. */
  async forgetSecrets(): Promise<void> {
    const expected = this.database.events(STREAM).length;
    await this.store.append([{ streamId: STREAM, expected, events: [], sealed: 'destroy' }]);
  }

  /** Just before the next call of this method of the store or the queue; several follow each other. */
  before(method: 'append' | 'confirmClaims' | 'release', ...then: readonly (() => Promise<unknown>)[]): void {
    this.disturbances.set(method, [...(this.disturbances.get(method) ?? []), ...then]);
  }

  /** Another replica takes the work over when its claim has run out. */
  async steal(): Promise<void> {
    await this.clock.advance(LEASE_MS + 1);
    await this.take(this.handler.kind as Work);
  }

  /** Another replica claims what is due. */
  async take(kind: Work): Promise<void> {
    expect(await this.claim(kind), 'what another replica claims').not.toEqual([]);
  }

  /** The handler's work is claimed as soon as it is due, and done. `meanwhile`: between the two. */
  async when(meanwhile: (rows: readonly EffectRow[]) => unknown = () => undefined): Promise<this> {
    const rows = await this.due();
    await meanwhile(rows);
    this.eventsBefore = this.database.log.length;
    this.callsBefore = this.eci.calls.length;
    const settled = new Set<EffectRow>();
    await this.handler.run(rows, (row) => settled.add(row));
    expect(settled, 'rows that are done with').toEqual(new Set(rows));
    return this;
  }

  /** All that came of it. */
  thenOnly({ events = [], rows = {}, calls = [] }: Expected): void {
    const ours = this.database.log.slice(this.eventsBefore).filter(({ metadata }) => metadata.actor === ACTOR);
    expect(ours.map(({ type, data, metadata }) => ({ type, data, cause: metadata.causationId }))).toEqual(events);
    for (const { metadata } of ours) expect(metadata.decidedAt).toMatch(/^2026-01-0\dT/);
    expect(this.rows()).toEqual(
      Object.fromEntries(
        Object.entries(rows).map(([name, row]) => [name, { lane: LANES[name.split(' ')[0] as Work], ...LEFT, ...row }]),
      ),
    );
    expect(this.eci.calls.slice(this.callsBefore)).toEqual(calls);
  }

  rows(streamId = this.subject): Readonly<Record<string, typeof LEFT & { readonly lane: string }>> {
    return Object.fromEntries(
      this.database
        .contents()
        .effects.filter((row) => row.streamId === streamId)
        .map(({ kind, key, lane, runAt, mayHaveBeenSent, data, claimId }) => {
          const afterMs = Date.parse(runAt) - this.clock.now();
          return [`${kind} ${key}`, { lane, afterMs, mayHaveBeenSent, data, held: claimId !== undefined }];
        }),
    );
  }

  state(): Promise<ContainerGroupState> {
    return this.streams.load(STREAM);
  }

  /** The gate that the pod waits behind. */
  get gate(): string | undefined {
    return this.database.contents().parked.find(({ streamId }) => streamId === STREAM)?.gate;
  }

  /** Of the lane of the handler's work: tokens that were taken, and how much of its rate is left after the cloud throttled us. */
  get lane(): { readonly taken: number; readonly factor: number } {
    const { tokens, factor } = this.database.contents().lanes.get(LANES[this.handler.kind as Work])!;
    return { taken: QUOTA.burst - tokens, factor };
  }

  /** How many rows are set aside because work on them failed. */
  get aside(): number {
    return this.tools.aside.size;
  }

  private async due(): Promise<readonly EffectRow[]> {
    const { kind } = this.handler;
    const times = this.database.contents().effects.filter((row) => row.kind === kind);
    const first = Math.min(...times.map(({ runAt }) => Date.parse(runAt)));
    await this.clock.advance(Math.max(0, first - this.clock.now()));
    const rows = await this.claim(kind as Work);
    expect(rows, 'work that is due').not.toEqual([]);
    return rows;
  }

  private claim(kind: Work): Promise<readonly EffectRow[]> {
    const claimId = new SystemIds().uuid();
    const { leaseMs } = this.handler;
    return this.queue.claim({ lane: LANES[kind], kinds: [kind], max: 100, claimId, leaseMs });
  }

  private keyOf(streamId: string): StreamKey {
    const key = this.keys.get(streamId) ?? this.vault.create(streamId);
    this.keys.set(streamId, key);
    return key;
  }

  private disturbed<Adapter extends object>(adapter: Adapter): Adapter {
    return aroundEachCall(adapter, async ({ method }, run) => {
      // What disturbs is not disturbed itself.
      const disturb = this.isDisturbed ? undefined : this.disturbances.get(method)?.shift();
      if (disturb) {
        this.isDisturbed = true;
        await disturb();
        this.isDisturbed = false;
      }
      return run();
    });
  }
}

function rowOf(kind: Work, key: string, data: JsonObject = {}): Extract<EffectChange, { op: 'put' }> {
  return { op: 'put', kind, key, lane: LANES[kind], tenant: 'k1', priority: 0, afterMs: 0, data };
}

export function sampleIntent(spec: Record<string, unknown> = {}): SealedIntent {
  const { pod, resolved, sealed } = inputOf(spec);
  return { pod, resolved, sealed };
}

/** `given(…commands)` of pods whose work this handler does. */
export const podsOf =
  (make: MakeHandler) =>
  async (...commands: readonly ContainerGroupCommand[]): Promise<OnePod> => {
    const pod = new OnePod(make);
    await pod.say(...commands);
    return pod;
  };
