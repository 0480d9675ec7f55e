import type { Clock } from '#libs/runtime';
import type { EffectRow, RecordedEvent } from '../event-store.ts';
import type { GateState } from '../postgres-gate-queue.ts';
import { Tables, iso, isDue, type EffectRecord } from './tables.ts';

interface StreamContents {
  readonly streamId: string;
  readonly version: number;
  /** Frozen, in order of version. */
  readonly events: readonly RecordedEvent[];
  readonly openedAt: string;
  readonly lastRecordedAt: string;
  /** Absent while it takes new work. */
  readonly closedAt?: string;
}

interface EffectContents extends Omit<EffectRow, 'claimId' | 'claimedUntil'> {
  /** Due, or the end of its claim; ISO. */
  readonly runAt: string;
  /** The worker that holds it; absent when nobody does, or when its claim has run out. */
  readonly claimId?: string;
  readonly sentNow: boolean;
}

/** What lies in a {@link InMemoryDatabase} now, each a copy: for oracles and assertions. */
interface DatabaseContents {
  readonly streams: ReadonlyMap<string, StreamContents>;
  readonly effects: readonly EffectContents[];
  readonly lanes: ReadonlyMap<
    string,
    { readonly rate?: number; readonly burst?: number; readonly tokens: number; readonly factor: number }
  >;
  readonly parked: readonly {
    readonly streamId: string;
    readonly gate: string;
    readonly priority: number;
    readonly deadline?: string;
    readonly since: string;
  }[];
  readonly gates: ReadonlyMap<string, GateState>;
  readonly timers: readonly {
    readonly streamId: string;
    readonly name: string;
    readonly dueAt: string;
    readonly runAt: string;
  }[];
  readonly aliases: ReadonlyMap<string, string>;
  /** Streams that still have a sealed part. */
  readonly sealed: ReadonlySet<string>;
  readonly inbox: readonly {
    readonly group: string;
    readonly topic: string;
    readonly partition: number;
    readonly epoch: number;
    readonly offset: string;
  }[];
  readonly subscriptions: readonly {
    readonly name: string;
    readonly owner: string | undefined;
    readonly position: string;
    readonly parkedStreams: readonly string[];
  }[];
}

/**
 * The tables of one store in memory. Any number of replicas share one: each builds its own adapters on it. All time is the clock's, there is no
 * randomness, and each call of an adapter changes the tables in one piece at the moment it is made.
 */
export class InMemoryDatabase {
  /** For the adapters beside this file. */
  readonly tables: Tables;

  constructor({ clock }: { readonly clock: Clock }) {
    this.tables = new Tables(clock);
  }

  /** Every event in the order of `readAll`; frozen. */
  get log(): readonly RecordedEvent[] {
    return this.tables.log;
  }

  /** Events of one stream in order of version; frozen. */
  events(streamId: string): readonly RecordedEvent[] {
    return this.tables.streams.get(streamId)?.events ?? [];
  }

  contents(): DatabaseContents {
    const { tables } = this;
    const now = tables.now();
    return {
      streams: new Map(
        [...tables.streams].map(([streamId, row]) => [
          streamId,
          {
            streamId,
            version: row.events.length,
            events: row.events,
            openedAt: iso(row.openedAt),
            lastRecordedAt: iso(row.lastRecordedAt),
            ...(row.closedAt !== undefined && { closedAt: iso(row.closedAt) }),
          },
        ]),
      ),
      effects: tables.effects.all().map((row) => effectContents(row, now)),
      lanes: new Map(
        [...tables.lanes].map(([lane, row]) => [
          lane,
          { ...(row.bucket && row.bucket), tokens: row.tokens, factor: row.factor },
        ]),
      ),
      parked: [...tables.parked].map(([streamId, { gate, priority, deadline, since }]) => ({
        streamId,
        gate,
        priority,
        ...(deadline !== undefined && { deadline: iso(deadline) }),
        since: iso(since),
      })),
      gates: new Map(
        [...tables.gates].map(([gate, row]) => [
          gate,
          { state: row.state, parked: tables.parkedAt(gate), nextProbeAt: iso(row.nextProbeAt) },
        ]),
      ),
      timers: [...tables.timers.values()].map(({ streamId, name, dueAt, runAt }) => ({
        streamId,
        name,
        dueAt: iso(dueAt),
        runAt: iso(runAt),
      })),
      aliases: new Map(tables.aliases),
      sealed: new Set(tables.sealed.keys()),
      inbox: [...tables.inbox.values()].map((row) => ({ ...row, offset: row.offset.toString() })),
      subscriptions: [...tables.subscriptions].map(([name, row]) => ({
        name,
        owner: row.owner,
        position: row.at.position,
        parkedStreams: [...row.parked.keys()],
      })),
    };
  }
}

function effectContents(row: EffectRecord, now: number): EffectContents {
  return {
    streamId: row.streamId,
    kind: row.kind,
    key: row.key,
    lane: row.lane,
    tenant: row.tenant,
    priority: row.priority,
    data: row.data,
    ...(row.sealed && { sealed: Uint8Array.from(row.sealed) }),
    attempts: row.attempts,
    mayHaveBeenSent: row.sentEarlier || row.sentNow,
    putAt: iso(row.putAt),
    runAt: iso(row.runAt),
    ...(row.claimId !== undefined && !isDue(row, now) && { claimId: row.claimId }),
    sentNow: row.sentNow,
  };
}
