import type { AppendResult, EffectChange, EventStore, RemovedEffect, StreamAppend } from '#libs/event-store';
import type { Clock, Ids } from '#libs/runtime';
import { GroupCommit } from './group-commit.ts';
import { oneByOne } from './one-by-one.ts';
import { changesNothing, decideAll, planAppend, type Beside, type Cause, type Decided } from './plan-append.ts';
import type { Fact } from './stored-events.ts';
import type { Happened, StreamKind, Versioned } from './stream-kind.ts';

/** Others changed the streams again and again while we decided. Nothing was written to them by us. */
export class StreamBusy extends Error {
  override readonly name = 'StreamBusy';
}

export interface RunOptions<State, Event> extends Cause {
  /** The state as the caller knows it; saves loading, and costs one more round when it is old. */
  readonly known?: State | undefined;
  /** The work that this settles. Its row ends with the append, also when nothing is decided, unless `effects` put it again. */
  readonly claim?: Beside['claim'];
  /** Rows beside those that follow from the events; computed anew for each try. */
  readonly effects?: (decided: Decided<State, Event>, before: State) => readonly EffectChange[];
  readonly sealed?: Beside['sealed'];
}

type Ran<State, Event> =
  | {
      readonly kind: 'done';
      readonly events: readonly Event[];
      readonly before: State;
      readonly after: State;
      readonly refusals: Decided<State, Event>['refusals'];
      /** Effect rows that were taken away. */
      readonly removedEffects: readonly RemovedEffect[];
    }
  /** Somebody else holds the work now; nothing was written. */
  | { readonly kind: 'claim-lost' }
  /** The caller wanted nothing done on this state; nothing was written, and the claim is still held. */
  | { readonly kind: 'left'; readonly before: State };

/** Commands, or what makes them from the state of each try; that may answer undefined, to leave everything as it is. */
type Commands<State, Command> =
  Command | readonly Command[] | ((state: State) => Wanted<Command> | Promise<Wanted<Command>>);

type Wanted<Command> = readonly Command[] | undefined;

export interface RunnerParts {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly ids: Ids;
}

const TRIES = 10;

/** Loads streams of one kind, decides, appends what follows; again from the top where somebody else was faster. */
export class DeciderRunner<
  State extends Versioned,
  Command extends object,
  Event extends Happened,
  Work extends string = string,
> {
  private readonly kind: StreamKind<State, Command, Event, Work>;
  private readonly parts: RunnerParts;
  private readonly commit: GroupCommit;

  constructor(kind: StreamKind<State, Command, Event, Work>, parts: RunnerParts) {
    this.kind = kind;
    this.parts = parts;
    this.commit = new GroupCommit(parts.store, parts.clock);
  }

  /** Throws {@link StreamBusy} after ten lost races, and UndecidableStream for a stream that a newer version wrote. */
  async execute(
    streamId: string,
    commands: Commands<State, Command>,
    options: RunOptions<State, Event>,
  ): Promise<Ran<State, Event>> {
    let ran: Ran<State, Event> | undefined;
    let { known } = options;
    await untilWritten([streamId], async () => {
      const once = await this.executeOnce(streamId, commands, { ...options, known });
      known = undefined;
      if (once.kind === 'conflict') return [streamId];
      ran = once;
      return [];
    });
    return ran!;
  }

  /** One try, for callers who leave a conflict to whoever won it. */
  async executeOnce(
    streamId: string,
    commands: Commands<State, Command>,
    options: RunOptions<State, Event>,
  ): Promise<Ran<State, Event> | { readonly kind: 'conflict' }> {
    const before = options.known ?? (await this.load(streamId));
    const wanted = typeof commands === 'function' ? await commands(before) : [commands].flat();
    if (!wanted) return { kind: 'left', before };
    const decided = decideAll(this.kind.decider, wanted as readonly Command[], before, this.now());
    const { events, after, refusals } = decided;
    const { actor, causationId, claim, sealed } = options;
    const append = planAppend({
      kind: this.kind,
      streamId,
      before,
      events,
      after,
      cause: { actor, ...(causationId !== undefined && { causationId }) },
      beside: {
        effects: options.effects?.(decided, before) ?? [],
        ...(claim && { claim }),
        ...(sealed && { sealed }),
      },
      newId: () => this.newId(),
    });
    if (changesNothing(append)) return { kind: 'done', events, before, after, refusals, removedEffects: [] };
    const result = await this.commit.append(append);
    if (result.ok) return { kind: 'done', events, before, after, refusals, removedEffects: result.removedEffects };
    return { kind: result.reason };
  }

  /**
   * Many streams at once, in rounds: `decide` plans what is to be appended to each, from its state; `append` writes that as one. Streams that others
   * changed meanwhile are decided again in the next round. Returns what was written, and throws {@link StreamBusy} after ten rounds.
   */
  async executeMany(
    streamIds: readonly string[],
    work: {
      readonly decide: (states: ReadonlyMap<string, State>) => Promise<readonly StreamAppend[]>;
      readonly append: (appends: readonly StreamAppend[]) => Promise<readonly AppendResult[]>;
    },
  ): Promise<readonly Written[]> {
    const written: Written[] = [];
    await untilWritten(streamIds, async (pending) => {
      const results = await work.append(await work.decide(await this.loadMany(pending)));
      written.push(...results.filter((result) => result.ok));
      return results.flatMap((result) => (result.ok ? [] : [result.streamId]));
    });
    return written;
  }

  async load(streamId: string): Promise<State> {
    return this.stateOf((await this.parts.store.loadMany([streamId])).get(streamId));
  }

  /** States of streams; one that does not exist has the initial state. */
  async loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, State>> {
    const loaded = await this.parts.store.loadMany(streamIds);
    return new Map(streamIds.map((id) => [id, this.stateOf(loaded.get(id))]));
  }

  /** The same, where a stream that cannot be read does not hide the others: it is in `failed`, and has no state. */
  async loadEach(streamIds: readonly string[]): Promise<{
    readonly states: ReadonlyMap<string, State>;
    readonly failed: ReadonlyMap<string, unknown>;
  }> {
    const { answers, failed } = await oneByOne([...new Set(streamIds)], (ids) => this.loadMany(ids));
    return { states: new Map(answers.flatMap((states) => [...states])), failed };
  }

  newId(): string {
    return this.parts.ids.uuid();
  }

  private stateOf(recorded: readonly Fact[] = []): State {
    const { decider, read } = this.kind;
    return recorded.reduce((state, fact) => decider.evolve(state, read(fact)), decider.initial);
  }

  private now(): string {
    return new Date(this.parts.clock.now()).toISOString();
  }
}

type Written = Extract<AppendResult, { ok: true }>;

/** `round` returns the streams that others changed meanwhile; there is at least one round, also for no stream at all. */
async function untilWritten(
  streamIds: readonly string[],
  round: (pending: readonly string[]) => Promise<readonly string[]>,
): Promise<void> {
  let pending = streamIds;
  for (let tries = 1; tries <= TRIES; tries++) {
    pending = await round(pending);
    if (pending.length === 0) return;
  }
  const what = pending.length === 1 ? `${pending[0]}` : `${pending.length} streams`;
  throw new StreamBusy(`${what} changed ${TRIES} times while it was decided on`);
}
