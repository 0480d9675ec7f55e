import type { ContainerGroupCommand, ContainerGroupEvent, ContainerGroupState } from '#libs/domain';
import type { EffectChange, EventStore } from '#libs/event-store';
import type { Clock, Ids } from '#libs/runtime';
import { GroupCommit } from './group-commit.ts';
import { oneByOne } from './one-by-one.ts';
import { stateOf } from './stored-events.ts';
import { changesNothing, decideAll, planAppend, type Beside, type Cause, type Decided } from './plan-append.ts';

/** Others changed the stream again and again while we decided. Nothing was written by us. */
export class StreamBusy extends Error {
  override readonly name = 'StreamBusy';
}

export interface ExecuteOptions extends Cause {
  /** The state as the caller knows it; saves loading, and costs one more round when it is old. */
  readonly known?: ContainerGroupState | undefined;
  /** The work that this settles. Its row ends with the append, also when nothing is decided, unless `effects` put it again. */
  readonly claim?: Beside['claim'];
  /** Rows beside those that follow from the events; computed anew for each try. */
  readonly effects?: (decided: Decided, before: ContainerGroupState) => readonly EffectChange[];
  readonly sealed?: Beside['sealed'];
}

export type Executed =
  | {
      readonly kind: 'done';
      readonly events: readonly ContainerGroupEvent[];
      readonly before: ContainerGroupState;
      readonly after: ContainerGroupState;
      readonly refusals: Decided['refusals'];
      /** `kind:key` of the effect rows that were taken away. */
      readonly removedEffects: readonly string[];
    }
  /** Somebody else holds the work now; nothing was written. */
  | { readonly kind: 'claim-lost' };

type Commands =
  | ContainerGroupCommand
  | readonly ContainerGroupCommand[]
  | ((state: ContainerGroupState) => readonly ContainerGroupCommand[]);

const TRIES = 10;

/** Loads a stream, decides, appends; again from the top when somebody else was faster. */
export class StreamCommands {
  private readonly store: EventStore;
  private readonly clock: Clock;
  private readonly ids: Ids;
  private readonly commit: GroupCommit;

  constructor(parts: { readonly store: EventStore; readonly clock: Clock; readonly ids: Ids }) {
    this.store = parts.store;
    this.clock = parts.clock;
    this.ids = parts.ids;
    this.commit = new GroupCommit(parts.store, parts.clock);
  }

  /** Throws {@link StreamBusy} after ten lost races, and UndecidableStream for a stream that a newer version wrote. */
  async execute(streamId: string, commands: Commands, options: ExecuteOptions): Promise<Executed> {
    let { known } = options;
    for (let round = 1; round <= TRIES; round++) {
      const once = await this.executeOnce(streamId, commands, { ...options, known });
      if (once.kind !== 'conflict') return once;
      known = undefined;
    }
    throw new StreamBusy(`${streamId} changed ${TRIES} times while a decision on it was made`);
  }

  /** One try, for callers whose command itself was made from the state: a conflict is theirs to think about. */
  async executeOnce(
    streamId: string,
    commands: Commands,
    options: ExecuteOptions,
  ): Promise<Executed | { readonly kind: 'conflict' }> {
    const before = options.known ?? (await this.load(streamId));
    const wanted = typeof commands === 'function' ? commands(before) : [commands].flat();
    const decided = decideAll(wanted, before, this.now());
    const { events, after, refusals } = decided;
    const { actor, causationId, claim, sealed } = options;
    const append = planAppend({
      streamId,
      before,
      events,
      cause: { actor, ...(causationId !== undefined && { causationId }) },
      beside: {
        effects: options.effects?.(decided, before) ?? [],
        ...(claim && { claim }),
        ...(sealed && { sealed }),
      },
      newId: () => this.ids.uuid(),
    });
    if (changesNothing(append)) return { kind: 'done', events, before, after, refusals, removedEffects: [] };
    const result = await this.commit.append(append);
    if (result.ok) return { kind: 'done', events, before, after, refusals, removedEffects: result.removedEffects };
    return { kind: result.reason };
  }

  async load(streamId: string): Promise<ContainerGroupState> {
    return stateOf((await this.store.loadMany([streamId])).get(streamId));
  }

  /** States of streams; one that does not exist has the initial state. */
  async loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, ContainerGroupState>> {
    const loaded = await this.store.loadMany(streamIds);
    return new Map(streamIds.map((id) => [id, stateOf(loaded.get(id))]));
  }

  /** The same, where a stream that cannot be read does not hide the others: it is in `failed`, and has no state. */
  async loadEach(streamIds: readonly string[]): Promise<{
    readonly states: ReadonlyMap<string, ContainerGroupState>;
    readonly failed: ReadonlyMap<string, unknown>;
  }> {
    const { answers, failed } = await oneByOne([...new Set(streamIds)], (ids) => this.loadMany(ids));
    return { states: new Map(answers.flatMap((states) => [...states])), failed };
  }

  newId(): string {
    return this.ids.uuid();
  }

  private now(): string {
    return new Date(this.clock.now()).toISOString();
  }
}
