import type { Clock } from '#libs/runtime';
import { BEGINNING } from '../cursor.ts';
import type { Cursor, JsonObject, RecordedEvent, WrappedEventKey } from '../event-store.ts';

/** Times are epoch milliseconds of the database's clock. */
export interface StreamRecord {
  /** Replaced, never changed: readers hold it. */
  events: readonly RecordedEvent[];
  readonly openedAt: number;
  lastRecordedAt: number;
  closedAt: number | undefined;
}

export interface EffectRecord {
  readonly streamId: string;
  readonly kind: string;
  readonly key: string;
  lane: string;
  tenant: string;
  priority: number;
  /** When it is due; of a claimed one: when its claim ends. */
  runAt: number;
  data: JsonObject;
  sealed: Uint8Array | undefined;
  attempts: number;
  sentEarlier: boolean;
  sentNow: boolean;
  readonly putAt: number;
  claimId: string | undefined;
}

export interface LaneRecord {
  bucket: { readonly rate: number; readonly burst: number } | undefined;
  tokens: number;
  refilledAt: number;
  factor: number;
  factorMovedAt: number;
  lastTenant: string;
  /** How often the turn has gone round all tenants. */
  rounds: number;
}

export interface GateRecord {
  state: 'open' | 'slow' | 'shut';
  intervalMs: number;
  nextProbeAt: number;
  probing: boolean;
  budget: number;
  credit: number;
  streak: number;
}

interface ParkedRecord {
  readonly gate: string;
  readonly priority: number;
  readonly deadline: number | undefined;
  readonly since: number;
}

interface TimerRecord {
  readonly streamId: string;
  readonly name: string;
  readonly dueAt: number;
  runAt: number;
  readonly data: JsonObject;
}

export interface SealedRecord {
  readonly wrappedKey: Uint8Array;
  readonly keyId: string;
  readonly sealed: Uint8Array;
}

interface EventKeyRecord {
  key: WrappedEventKey | undefined;
  forgottenAt: number | undefined;
}

export interface InboxRecord {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  epoch: number;
  offset: bigint;
}

export interface SubscriptionRecord {
  at: Cursor;
  owner: string | undefined;
  leasedUntil: number;
  readonly parked: Map<
    string,
    { readonly version: number; readonly error: string; readonly since: number; readonly queued: Set<number> }
  >;
}

/** Of the log in memory; it is never restored. */
export const GENERATION = 1;

/** What the adapters of this folder share. Only they change it. */
export class Tables {
  readonly clock: Clock;
  readonly streams = new Map<string, StreamRecord>();
  readonly log: RecordedEvent[] = [];
  readonly effects = new EffectTable();
  readonly lanes = new Map<string, LaneRecord>();
  readonly gates = new Map<string, GateRecord>();
  readonly parked = new Map<string, ParkedRecord>();
  readonly timers = new Map<string, TimerRecord>();
  readonly aliases = new Map<string, string>();
  readonly sealed = new Map<string, SealedRecord>();
  readonly eventKeys = new Map<string, EventKeyRecord>();
  readonly inbox = new Map<string, InboxRecord>();
  readonly subscriptions = new Map<string, SubscriptionRecord>();
  private transactions = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  now(): number {
    return this.clock.now();
  }

  nextTransactionId(): string {
    return String(++this.transactions);
  }

  parkedAt(gate: string): number {
    let count = 0;
    for (const row of this.parked.values()) if (row.gate === gate) count++;
    return count;
  }

  /** Made at the first lease, before the first event. */
  subscription(name: string): SubscriptionRecord | undefined {
    return this.subscriptions.get(name);
  }

  openSubscription(name: string, owner: string, leasedUntil: number): SubscriptionRecord {
    const row = { at: { ...BEGINNING, generation: GENERATION }, owner, leasedUntil, parked: new Map() };
    this.subscriptions.set(name, row);
    return row;
  }
}

/** Rows of work by their key, and by their lane. */
class EffectTable {
  private readonly rows = new Map<string, EffectRecord>();
  private readonly byLane = new Map<string, Set<EffectRecord>>();

  get(streamId: string, kind: string, key: string): EffectRecord | undefined {
    return this.rows.get(rowKey(streamId, kind, key));
  }

  add(row: EffectRecord): void {
    this.rows.set(rowKey(row.streamId, row.kind, row.key), row);
    this.enter(row);
  }

  remove(row: EffectRecord): void {
    this.rows.delete(rowKey(row.streamId, row.kind, row.key));
    this.leave(row);
  }

  moveTo(row: EffectRecord, lane: string): void {
    if (row.lane === lane) return;
    this.leave(row);
    row.lane = lane;
    this.enter(row);
  }

  /** In the order in which they came to the lane. */
  ofLane(lane: string): ReadonlySet<EffectRecord> {
    return this.byLane.get(lane) ?? NONE;
  }

  /** In the order of their names. */
  lanes(): readonly string[] {
    return [...this.byLane.keys()].sort();
  }

  all(): EffectRecord[] {
    return [...this.rows.values()];
  }

  private enter(row: EffectRecord): void {
    const lane = this.byLane.get(row.lane);
    if (lane) lane.add(row);
    else this.byLane.set(row.lane, new Set([row]));
  }

  private leave(row: EffectRecord): void {
    const lane = this.byLane.get(row.lane)!;
    lane.delete(row);
    if (lane.size === 0) this.byLane.delete(row.lane);
  }
}

const NONE: ReadonlySet<EffectRecord> = new Set();

/** Due = its time has passed, whoever claimed it. */
export function isDue(row: { readonly runAt: number }, now: number): boolean {
  return row.runAt <= now;
}

export function rowKey(...parts: readonly (string | number)[]): string {
  return parts.join('\0');
}

export function iso(ms: number): string {
  return new Date(Math.floor(ms)).toISOString();
}
