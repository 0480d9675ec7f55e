/** What the control plane keeps beside the event store, in memory: the same answers as the tables of PostgreSQL. */
import {
  foldOrphan,
  isOpenOrphan,
  parseOrphanStreamId,
  parseStreamId,
  streamIdOf,
  type OrphanFacts,
} from '#libs/domain';
import type { InMemoryDatabase } from '#libs/event-store';
import { macKeyOf, type MacKey } from '#libs/messaging';
import type { Clock, Random } from '#libs/runtime';
import { HeldStops, StopGuard } from '../../../services/control-plane/src/holds/ports.ts';
import type { StatusProof } from '../../../services/control-plane/src/keys/status-keys.ts';
import type { FillingKeys } from '../../../services/control-plane/src/publish/proven-topics.ts';
import { foldKey } from '../../../services/control-plane/src/quarantine/fold-key.ts';
import { withinBounds } from '../../../services/control-plane/src/intake/postgres-deferrals.ts';
import {
  Deferrals,
  Inventories,
  type InventoryPod,
  type KeptPart,
  type QuarantineDesk,
  type QuarantinedMessage,
  type RememberedInventory,
} from '../../../services/control-plane/src/intake/ports.ts';
import { Orphans, Scopes, type Observed, type Scope } from '../../../services/control-plane/src/observe/ports.ts';
import { orphanEvent } from '../../../services/control-plane/src/streams/stored-events.ts';
import { OrphanCases, type OrphanCase } from '../../../services/control-plane/src/orphans/ports.ts';
import { aliasOf } from '../../../services/control-plane/src/streams/alias.ts';

export class QuarantineTable implements QuarantineDesk {
  /** By what they say: a message that comes again has one row. */
  readonly rows = new Map<string, QuarantinedMessage & { readonly at: number }>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  add(messages: readonly QuarantinedMessage[]): Promise<readonly QuarantinedMessage[]> {
    const news: QuarantinedMessage[] = [];
    for (const message of messages) {
      const fold = foldKey(message);
      const before = this.rows.get(fold);
      this.rows.set(fold, { ...(before ?? message), at: this.clock.now() });
      if (!before || isSamePlace(before, message)) news.push(message);
    }
    return Promise.resolve(news);
  }

  /** Rows of each sender; those of all whose seal proves nothing under ''. */
  sizes(): ReadonlyMap<string, number> {
    const sizes = new Map<string, number>();
    for (const { sender } of this.rows.values()) {
      const bucket = sender.proven ? sender.clusterId : '';
      sizes.set(bucket, (sizes.get(bucket) ?? 0) + 1);
    }
    return sizes;
  }
}

const isSamePlace = (a: QuarantinedMessage, b: QuarantinedMessage): boolean =>
  a.epoch === b.epoch && a.partition === b.partition && a.offset === b.offset;

export class InventoryTables extends Inventories {
  private readonly database: InMemoryDatabase;
  private readonly quarantine: QuarantineTable;
  private readonly chunks = new Map<string, Map<number, readonly InventoryPod[]>>();
  private readonly lasts = new Map<string, RememberedInventory>();

  constructor(database: InMemoryDatabase, quarantine: QuarantineTable) {
    super();
    this.database = database;
    this.quarantine = quarantine;
  }

  keep(part: {
    readonly clusterId: string;
    readonly inventoryId: string;
    readonly chunk: number;
    readonly chunks: number;
    readonly pods: readonly InventoryPod[];
  }): Promise<KeptPart> {
    const { clusterId, inventoryId, chunk, chunks, pods } = part;
    if (chunks === 1) return Promise.resolve({ state: 'complete', pods });
    const name = `${clusterId}/${inventoryId}/${chunks}`;
    for (const other of this.chunks.keys())
      if (other.startsWith(`${clusterId}/`) && other !== name) this.chunks.delete(other);
    let known = this.chunks.get(name);
    if (!known) this.chunks.set(name, (known = new Map()));
    known.set(chunk, known.get(chunk) ?? pods);
    if (known.size < chunks) return Promise.resolve({ state: 'incomplete' });
    const all = [...known].sort(([a], [b]) => a - b).flatMap(([, each]) => each);
    return Promise.resolve({ state: 'complete', pods: all });
  }

  /** Parts of sets under way, by `<cluster>/<set>`. */
  get underWay(): ReadonlyMap<string, ReadonlyMap<number, readonly InventoryPod[]>> {
    return this.chunks;
  }

  last(clusterId: string): Promise<RememberedInventory | undefined> {
    return Promise.resolve(this.lasts.get(clusterId));
  }

  /** Agents keep their keys here. */
  keyGeneration(): Promise<number> {
    return Promise.resolve(0);
  }

  remember(clusterId: string, inventory: RememberedInventory): Promise<void> {
    this.lasts.set(clusterId, inventory);
    for (const name of this.chunks.keys()) if (name.startsWith(`${clusterId}/`)) this.chunks.delete(name);
    return Promise.resolve();
  }

  openStreams(clusterId: string): Promise<ReadonlyMap<string, number>> {
    const prefix = streamIdOf(clusterId, '');
    const open = new Map<string, number>();
    for (const [streamId, row] of this.database.tables.streams) {
      if (row.closedAt === undefined && streamId.startsWith(prefix))
        open.set(parseStreamId(streamId)?.podUid ?? '', row.events.length);
    }
    return Promise.resolve(open);
  }

  existing(streamIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const { streams } = this.database.tables;
    return Promise.resolve(
      new Map(streamIds.flatMap((id) => (streams.has(id) ? [[id, streams.get(id)!.events.length]] : []))),
    );
  }

  quarantined(clusterId: string, since: number): Promise<ReadonlySet<string>> {
    const uids = new Set<string>();
    for (const row of this.quarantine.rows.values()) {
      if (row.sender.proven && row.sender.clusterId === clusterId && row.at >= since)
        uids.add(row.key.slice(row.key.indexOf('/') + 1));
    }
    return Promise.resolve(uids);
  }
}

export class DeferralTable extends Deferrals {
  private readonly clock: Clock;
  private readonly rows = new Map<string, Map<string, { askedAt: number | undefined }>>();

  constructor(clock: Clock) {
    super();
    this.clock = clock;
  }

  defer(clusterId: string, subjects: readonly string[]): Promise<void> {
    const known = this.rows.get(clusterId) ?? new Map<string, { askedAt: number | undefined }>();
    this.rows.set(clusterId, known);
    for (const subject of withinBounds(subjects, known.size)) known.set(subject, { askedAt: undefined });
    return Promise.resolve();
  }

  /** What is remembered of each cluster. */
  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.rows].map(([clusterId, rows]) => [clusterId, rows.size]));
  }

  clusters(): Promise<readonly string[]> {
    return Promise.resolve([...this.rows].filter(([, rows]) => rows.size > 0).map(([clusterId]) => clusterId));
  }

  claim(clusterId: string, most: number): Promise<readonly string[]> {
    const now = this.clock.now();
    const free = [...(this.rows.get(clusterId) ?? [])].filter(
      ([, { askedAt }]) => askedAt === undefined || askedAt < now - 60_000,
    );
    const claimed = free.slice(0, most);
    for (const [, row] of claimed) row.askedAt = now;
    return Promise.resolve(claimed.map(([subject]) => subject));
  }

  release(clusterId: string, subjects: readonly string[]): Promise<void> {
    for (const subject of subjects) {
      const row = this.rows.get(clusterId)?.get(subject);
      if (row) row.askedAt = undefined;
    }
    return Promise.resolve();
  }

  settle(clusterId: string, subjects: readonly string[]): Promise<void> {
    const rows = this.rows.get(clusterId);
    for (const subject of subjects) if (rows?.get(subject)?.askedAt !== undefined) rows.delete(subject);
    return Promise.resolve();
  }
}

export class ScopeTable extends Scopes {
  private readonly database: InMemoryDatabase;
  private readonly rows = new Map<
    string,
    { readonly scope: Scope; owner?: string | undefined; heldUntil: number; observed: Observed }
  >();

  constructor(database: InMemoryDatabase) {
    super();
    this.database = database;
  }

  ensure(accountId: string, region: string): Promise<void> {
    const name = `${accountId}/${region}`;
    if (!this.rows.has(name)) this.rows.set(name, { scope: { accountId, region }, heldUntil: 0, observed: {} });
    return Promise.resolve();
  }

  all(): Promise<readonly Scope[]> {
    return Promise.resolve([...this.rows.values()].map(({ scope }) => scope));
  }

  hold({ accountId, region }: Scope, owner: string, leaseMs: number): Promise<Observed | undefined> {
    const row = this.rows.get(`${accountId}/${region}`);
    const now = this.database.tables.now();
    if (!row || (row.owner !== undefined && row.owner !== owner && row.heldUntil >= now))
      return Promise.resolve(undefined);
    row.owner = owner;
    row.heldUntil = now + leaseMs;
    return Promise.resolve(row.observed);
  }

  note({ accountId, region }: Scope, owner: string, observed: Observed): Promise<void> {
    const row = this.rows.get(`${accountId}/${region}`);
    if (row?.owner === owner) row.observed = { ...row.observed, ...observed };
    return Promise.resolve();
  }

  leave({ accountId, region }: Scope, owner: string): Promise<void> {
    const row = this.rows.get(`${accountId}/${region}`);
    if (row?.owner === owner) row.owner = undefined;
    return Promise.resolve();
  }

  knownGroups({ accountId, region }: Scope): Promise<ReadonlyMap<string, string>> {
    const prefix = aliasOf(accountId, region, '');
    const { aliases, streams } = this.database.tables;
    const known = new Map<string, string>();
    for (const [alias, streamId] of aliases) {
      if (alias.startsWith(prefix) && streams.get(streamId)?.closedAt === undefined)
        known.set(alias.slice(prefix.length), streamId);
    }
    return Promise.resolve(known);
  }
}

export class OrphanTable extends Orphans {
  readonly rows = new Map<string, { readonly facts: OrphanFacts; readonly since: number }>();
  private readonly database: InMemoryDatabase;

  constructor(database: InMemoryDatabase) {
    super();
    this.database = database;
  }

  note(_scope: Scope, strangers: readonly OrphanFacts[]): Promise<ReadonlyMap<string, number>> {
    const now = this.database.tables.now();
    const ages = new Map<string, number>();
    for (const facts of strangers) {
      const { containerGroupId, createdAt } = facts;
      const created = createdAt === undefined ? NaN : Date.parse(createdAt);
      const since = this.rows.get(containerGroupId)?.since ?? (Number.isNaN(created) ? now : created);
      this.rows.set(containerGroupId, { facts, since });
      ages.set(containerGroupId, now - since);
    }
    return Promise.resolve(ages);
  }

  keepOnly(_scope: Scope, containerGroupIds: readonly string[]): Promise<void> {
    const kept = new Set(containerGroupIds);
    for (const id of this.rows.keys()) if (!kept.has(id)) this.rows.delete(id);
    return Promise.resolve();
  }
}

/** Orphans as their streams say; no policy asks for the removal of any. */
export class CasesOfStreams extends OrphanCases {
  private readonly database: InMemoryDatabase;

  constructor(database: InMemoryDatabase) {
    super();
    this.database = database;
  }

  open(place: Scope): Promise<readonly OrphanCase[]> {
    const here = this.all().filter(({ accountId, region }) => accountId === place.accountId && region === place.region);
    return Promise.resolve(here);
  }

  overdue(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  private all(): readonly OrphanCase[] {
    const cases: OrphanCase[] = [];
    for (const [streamId, { events }] of this.database.tables.streams) {
      const id = parseOrphanStreamId(streamId);
      if (!id) continue;
      const state = foldOrphan(events.map(orphanEvent));
      const { phase, facts } = state;
      if (isOpenOrphan(state) && facts) cases.push({ ...id, phase, facts });
    }
    return cases;
  }
}

/** Lets every stop through: the clusters here are smaller than what the mass-delete guard begins to count at. */
export class OpenGuard extends StopGuard {
  admit(): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map());
  }

  heldPods(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set());
  }
}

/** What operators decided of held stops: nothing, for none is held. */
export class NoHeldStops extends HeldStops {
  due(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  endIdle(): Promise<readonly never[]> {
    return Promise.resolve([]);
  }

  counts(): Promise<ReadonlyMap<string, number>> {
    return Promise.resolve(new Map());
  }
}

interface StatusKeyRow {
  readonly kid: string;
  readonly bytes: Uint8Array;
  readonly madeAt: number;
  fillingUntil: number;
  filledAt: number | undefined;
}

/** Keys under which clusters are spoken to. What takes weeks takes minutes here, so that a run sees several keys come and go. */
export class StatusKeyTable implements FillingKeys {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly clusters: ReadonlyMap<string, StatusKeyRow[]>;
  /** Every key that there ever was, by cluster and kid. */
  private readonly ever = new Map<string, MacKey>();

  constructor(parts: { readonly clock: Clock; readonly random: Random; readonly clusters: readonly string[] }) {
    this.clock = parts.clock;
    this.random = parts.random;
    this.clusters = new Map(parts.clusters.map((id) => [id, []]));
  }

  signing(clusterIds: readonly string[]): Promise<ReadonlyMap<string, () => MacKey>> {
    return Promise.resolve(
      new Map(
        clusterIds.map((id) => {
          if (this.of(id).length === 0) this.add(id);
          const { kid, bytes } = this.of(id).at(-1)!;
          return [id, () => macKeyOf(kid, bytes)];
        }),
      ),
    );
  }

  due(clusterId?: string): Promise<readonly { readonly id: string; readonly rotate: boolean }[]> {
    const now = this.clock.now();
    const all = clusterId === undefined ? [...this.clusters.keys()] : [clusterId];
    const due = all.flatMap((id) => {
      const newest = this.of(id).at(-1);
      if (newest && newest.fillingUntil > now) return [];
      const rotate = newest !== undefined && newest.madeAt <= now - STATUS_KEY_SIGNS_MS;
      return rotate || newest?.filledAt === undefined ? [{ id, rotate }] : [];
    });
    return Promise.resolve(due);
  }

  make(clusterId: string): Promise<void> {
    this.add(clusterId);
    return Promise.resolve();
  }

  beginFilling(clusterId: string, kid: string): Promise<boolean> {
    const row = this.find(clusterId, kid);
    const now = this.clock.now();
    if (!row || row.fillingUntil > now) return Promise.resolve(false);
    row.fillingUntil = now + STATUS_KEY_FILLING_MS;
    return Promise.resolve(true);
  }

  filled(clusterId: string, kid: string): Promise<void> {
    const row = this.find(clusterId, kid);
    if (row) Object.assign(row, { filledAt: this.clock.now(), fillingUntil: 0 });
    return Promise.resolve();
  }

  gaveUpFilling(clusterId: string, kid: string): Promise<void> {
    const row = this.find(clusterId, kid);
    if (row) row.fillingUntil = 0;
    return Promise.resolve();
  }

  watchSpeakers(): Promise<boolean> {
    return Promise.resolve(false);
  }

  unproven(): Promise<number> {
    return Promise.resolve(0);
  }

  /** What a session is answered: the fleet of a simulation has never had a speaker who proves nothing. */
  forAgent(clusterId: string): Promise<StatusProof> {
    if (this.of(clusterId).length === 0) this.add(clusterId);
    const rows = this.of(clusterId);
    const filled = rows.findLastIndex(
      ({ filledAt }) => (filledAt ?? Infinity) <= this.clock.now() - STATUS_KEY_KEPT_MS,
    );
    // Those before one that was filled long ago have been destroyed.
    rows.splice(0, Math.max(0, filled));
    return Promise.resolve({ keys: rows.map(({ kid, bytes }) => ({ kid, key: bytes })), proven: true });
  }

  /** The agent's key ends, and with it these. */
  end(clusterId: string): void {
    this.of(clusterId).length = 0;
  }

  /** One that signs now, for whoever has got hold of it. */
  newest(clusterId: string): MacKey | undefined {
    const row = this.of(clusterId).at(-1);
    return row && macKeyOf(row.kid, row.bytes);
  }

  /** Whether an agent is given this key now. */
  isGiven(clusterId: string, kid: string): boolean {
    return this.find(clusterId, kid) !== undefined;
  }

  /** The key of this name that the control plane has, or had, for the cluster. */
  keyOf(clusterId: string, kid: string): MacKey | undefined {
    return this.ever.get(`${clusterId}/${kid}`);
  }

  private of(clusterId: string): StatusKeyRow[] {
    return this.clusters.get(clusterId) ?? [];
  }

  private find(clusterId: string, kid: string): StatusKeyRow | undefined {
    return this.of(clusterId).find((row) => row.kid === kid);
  }

  private add(clusterId: string): void {
    const kid = `k${this.ever.size + 1}`;
    const bytes = Uint8Array.from({ length: 32 }, () => Math.floor(this.random.next() * 256));
    this.of(clusterId).push({ kid, bytes, madeAt: this.clock.now(), fillingUntil: 0, filledAt: undefined });
    this.ever.set(`${clusterId}/${kid}`, macKeyOf(kid, bytes));
  }
}

const STATUS_KEY_SIGNS_MS = 120_000;
const STATUS_KEY_KEPT_MS = 30_000;
const STATUS_KEY_FILLING_MS = 20_000;
