import { invalidRow } from '../append-checks.ts';
import { EffectQueue, type EffectRow, type JsonObject } from '../event-store.ts';
import type { LaneDepth } from '../postgres-effect-queue.ts';
import { frozenJson } from './frozen-json.ts';
import type { InMemoryDatabase } from './in-memory-database.ts';
import { isDue, iso, type EffectRecord, type LaneRecord, type Tables } from './tables.ts';

type RowName = { readonly streamId: string; readonly kind: string; readonly key: string };

/** Effects in memory: the rules of `es.claim_effects` and its neighbours, one for one. */
export class InMemoryEffectQueue extends EffectQueue {
  private readonly tables: Tables;

  constructor(database: InMemoryDatabase) {
    super();
    this.tables = database.tables;
  }

  async claim(request: {
    readonly lane: string;
    readonly kinds: readonly string[];
    readonly max: number;
    readonly claimId: string;
    readonly leaseMs: number;
  }): Promise<readonly EffectRow[]> {
    const now = this.tables.now();
    const rows = this.tables.effects.ofLane(request.lane);
    if (!some(rows, (row) => isDue(row, now))) return [];
    const lane = this.lane(request.lane, now);
    const tokens = lane.bucket && tokensOf(lane, now);
    const count =
      tokens === undefined
        ? request.max
        : Math.min(request.max, Math.floor(tokens + 1e-9), Math.max(1, Math.floor(lane.bucket!.rate)));
    const chosen = count < 1 ? [] : inTurn(rows, new Set(request.kinds), lane, count, now);
    if (chosen.length === 0) return [];

    lane.tokens = tokens === undefined ? 0 : tokens - chosen.length;
    lane.refilledAt = now;
    const { tenant } = chosen.at(-1)!;
    if (tenant <= lane.lastTenant) lane.rounds += 1;
    lane.lastTenant = tenant;
    return chosen.map((row) => {
      row.claimId = request.claimId;
      row.runAt = now + request.leaseMs;
      row.attempts += 1;
      row.sentEarlier ||= row.sentNow;
      row.sentNow = false;
      return toRow(row);
    });
  }

  async dueLanes(): Promise<readonly string[]> {
    const now = this.tables.now();
    return this.tables.effects.lanes().filter((lane) => some(this.tables.effects.ofLane(lane), (r) => isDue(r, now)));
  }

  async nextDueAt(): Promise<string | undefined> {
    let first = Infinity;
    for (const row of this.tables.effects.all()) first = Math.min(first, row.runAt);
    return first === Infinity ? undefined : iso(first);
  }

  async confirmClaims(
    rows: readonly (RowName & { readonly claimId: string })[],
    leaseMs: number,
  ): Promise<readonly RowName[]> {
    const now = this.tables.now();
    const held: RowName[] = [];
    for (const { streamId, kind, key, claimId } of rows) {
      const row = this.tables.effects.get(streamId, kind, key);
      if (row?.claimId !== claimId) continue;
      row.sentNow = true;
      row.runAt = now + leaseMs;
      held.push({ streamId, kind, key });
    }
    return held;
  }

  async release(given: {
    readonly streamId: string;
    readonly kind: string;
    readonly key: string;
    readonly claimId: string;
    readonly afterMs: number;
    readonly notSent: boolean;
    readonly data?: JsonObject;
    readonly refundToken?: boolean;
  }): Promise<boolean> {
    const row = this.tables.effects.get(given.streamId, given.kind, given.key);
    const data = given.data === undefined ? undefined : checkedData(given, given.data);
    if (row?.claimId !== given.claimId) return false;
    row.claimId = undefined;
    row.runAt = this.tables.now() + Math.round(given.afterMs);
    if (data) row.data = data;
    row.sentNow &&= !given.notSent;
    const lane = this.tables.lanes.get(row.lane);
    if (given.refundToken && lane?.bucket) lane.tokens = Math.min(lane.bucket.burst, lane.tokens + 1);
    return true;
  }

  async configureLane(name: string, { rate, burst }: { readonly rate: number; readonly burst: number }): Promise<void> {
    if (!(rate > 0) || !(burst >= 1))
      throw new RangeError(`lane ${name}: rate must be above 0 and burst at least 1, not ${rate} and ${burst}`);
    const now = this.tables.now();
    const known = this.tables.lanes.get(name);
    if (known?.bucket?.rate === rate && known.bucket.burst === burst) return;
    const lane = known ?? this.lane(name, now);
    lane.tokens = Math.min(burst, lane.bucket ? tokensOf(lane, now) : burst);
    lane.refilledAt = now;
    lane.bucket = { rate, burst };
  }

  async laneThrottled(name: string): Promise<void> {
    const now = this.tables.now();
    const lane = this.tables.lanes.get(name);
    if (!lane?.bucket || lane.factorMovedAt > now - 1_000) return;
    lane.factor = Math.max(0.05, lane.factor * 0.85);
    lane.factorMovedAt = now;
    lane.tokens = 0;
    lane.refilledAt = now;
  }

  async laneAccepted(name: string): Promise<void> {
    const now = this.tables.now();
    const lane = this.tables.lanes.get(name);
    if (!lane?.bucket || lane.factor >= 1 || lane.factorMovedAt > now - 1_000) return;
    lane.tokens = tokensOf(lane, now);
    lane.factor = Math.min(1, lane.factor + 0.03);
    lane.factorMovedAt = now;
    lane.refilledAt = now;
  }

  async depth(): Promise<readonly LaneDepth[]> {
    const now = this.tables.now();
    const depths = new Map<string, { lane: string; kind: string; due: number; claimed: number; waiting: number }>();
    for (const row of this.tables.effects.all()) {
      const name = `${row.lane}\0${row.kind}`;
      const depth = depths.get(name) ?? { lane: row.lane, kind: row.kind, due: 0, claimed: 0, waiting: 0 };
      depths.set(name, depth);
      if (isDue(row, now)) depth.due += 1;
      else if (row.claimId !== undefined) depth.claimed += 1;
      else depth.waiting += 1;
    }
    return [...depths].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, depth]) => depth);
  }

  private lane(name: string, now: number): LaneRecord {
    let lane = this.tables.lanes.get(name);
    if (!lane) {
      lane = {
        bucket: undefined,
        tokens: 0,
        refilledAt: now,
        factor: 1,
        factorMovedAt: now - 3_600_000,
        lastTenant: '',
        rounds: 0,
      };
      this.tables.lanes.set(name, lane);
    }
    return lane;
  }
}

function checkedData({ streamId }: RowName, data: JsonObject): JsonObject {
  try {
    return frozenJson(data, false);
  } catch (error) {
    throw invalidRow(streamId, data, error);
  }
}

/** A little below the published rate, as in SQL. */
function tokensOf({ bucket, tokens, factor, refilledAt }: LaneRecord, now: number): number {
  const { rate, burst } = bucket!;
  return Math.min(burst, tokens + rate * 0.98 * factor * Math.max(0, (now - refilledAt) / 1000));
}

/** One row of each tenant in turn, from the tenant after the one served last; within one as `oldestAndYoungest` says. */
function inTurn(
  rows: ReadonlySet<EffectRecord>,
  kinds: ReadonlySet<string>,
  { lastTenant, rounds }: LaneRecord,
  count: number,
  now: number,
): readonly EffectRecord[] {
  const byTenant = new Map<string, EffectRecord[]>();
  for (const row of rows) {
    if (!isDue(row, now) || !kinds.has(row.kind)) continue;
    const queue = byTenant.get(row.tenant);
    if (queue) queue.push(row);
    else byTenant.set(row.tenant, [row]);
  }
  const tenants = [...byTenant.keys()].sort();
  const first = tenants.findIndex((tenant) => tenant > lastTenant);
  const ring = first <= 0 ? tenants : [...tenants.slice(first), ...tenants.slice(0, first)];
  const queues = ring.slice(0, count).map((tenant) => oldestAndYoungest(byTenant.get(tenant)!, rounds % 2 === 1));

  const chosen: EffectRecord[] = [];
  for (let turn = 0; chosen.length < count; turn++) {
    const before = chosen.length;
    for (const queue of queues) {
      const row = queue[turn];
      if (row && chosen.length < count) chosen.push(row);
    }
    if (chosen.length === before) break;
  }
  return chosen;
}

/** The larger priority and the longer wait first, and between two of these one of the youngest of the largest priority: a backlog holds nobody up. */
function oldestAndYoungest(due: readonly EffectRecord[], youngestFirst: boolean): readonly EffectRecord[] {
  const oldest = due.toSorted((a, b) => b.priority - a.priority || a.runAt - b.runAt);
  const youngest = oldest.filter(({ priority }) => priority === oldest[0]!.priority).sort((a, b) => b.runAt - a.runAt);
  const [one, other] = youngestFirst ? [youngest, oldest] : [oldest, youngest];
  return [...new Set(oldest.flatMap((_, index) => [one[index], other[index]].filter((row) => row !== undefined)))];
}

function toRow(row: EffectRecord): EffectRow {
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
    mayHaveBeenSent: row.sentEarlier,
    putAt: iso(row.putAt),
    claimId: row.claimId!,
    claimedUntil: iso(row.runAt),
  };
}

function some<T>(items: Iterable<T>, test: (item: T) => boolean): boolean {
  for (const item of items) if (test(item)) return true;
  return false;
}
