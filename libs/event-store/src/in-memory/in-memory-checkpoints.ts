import { CheckpointMoved, Checkpoints, type CheckpointTransaction, type ParkedStream } from '../checkpoints.ts';
import { compareCursors } from '../cursor.ts';
import type { Cursor } from '../event-store.ts';
import { TryLater } from '../trouble.ts';
import type { InMemoryDatabase } from './in-memory-database.ts';
import { iso, type SubscriptionRecord, type Tables } from './tables.ts';

/** What a handler writes through: each change is made when the transaction commits, all of them in one piece, or never. */
interface InMemoryTransaction {
  /** `change` must not fail. */
  onCommit(change: () => void): void;
}

/** Checked when the transaction commits, before anything is changed; throws what undoes it. */
type Condition = (row: SubscriptionRecord | undefined) => void;
type Change = (row: SubscriptionRecord) => void;

/**
 * Checkpoints in memory. Where PostgreSQL makes one transaction wait for another (a replay and a batch with events of the same parked stream),
 * the later commit is undone here and its caller tries again: {@link TryLater}.
 */
export class InMemoryCheckpoints extends Checkpoints<InMemoryTransaction> {
  private readonly tables: Tables;

  constructor(database: InMemoryDatabase) {
    super();
    this.tables = database.tables;
  }

  async lease(name: string, owner: string, leaseMs: number): Promise<Cursor | undefined> {
    const now = this.tables.now();
    const row = this.tables.subscription(name);
    if (!row) return this.tables.openSubscription(name, owner, now + leaseMs).at;
    if (row.owner !== undefined && row.owner !== owner && row.leasedUntil > now) return undefined;
    row.owner = owner;
    row.leasedUntil = now + leaseMs;
    return row.at;
  }

  async leave(name: string, owner: string): Promise<void> {
    const row = this.tables.subscription(name);
    if (row?.owner !== owner) return;
    row.owner = undefined;
    row.leasedUntil = this.tables.now();
  }

  async parkedStreams(name: string): Promise<readonly ParkedStream[]> {
    const parked = [...(this.tables.subscription(name)?.parked ?? [])].map(([streamId, row]) => ({
      streamId,
      version: row.version,
      error: row.error,
      since: iso(row.since),
      queued: row.queued.size,
    }));
    return parked.sort((a, b) => compareText(a.since, b.since) || compareText(a.streamId, b.streamId));
  }

  async transaction<T>(
    name: string,
    work: (transaction: CheckpointTransaction<InMemoryTransaction>) => Promise<T>,
  ): Promise<T> {
    const conditions: Condition[] = [];
    const changes: Change[] = [];
    const result = await work(this.begin(name, conditions, changes));
    const row = this.tables.subscription(name);
    for (const condition of conditions) condition(row);
    if (row) for (const change of changes) change(row);
    return result;
  }

  private begin(name: string, conditions: Condition[], changes: Change[]): CheckpointTransaction<InMemoryTransaction> {
    const { tables } = this;
    const current = (): SubscriptionRecord | undefined => tables.subscription(name);
    return {
      tx: { onCommit: (change) => void changes.push(change) },
      async hold() {
        const at = current()?.at;
        conditions.push((row) => {
          if (row?.at !== at) throw new TryLater(`the reader ${name} went on meanwhile`);
        });
        return at;
      },
      async parked() {
        return new Set(current()?.parked.keys());
      },
      async queueParked(events) {
        const parked = new Set<string>();
        for (const { streamId } of events) if (current()?.parked.has(streamId)) parked.add(streamId);
        conditions.push((row) => {
          for (const streamId of parked) if (!row?.parked.has(streamId)) throw replayed(streamId);
        });
        changes.push((row) => {
          for (const { streamId, version } of events) {
            if (parked.has(streamId)) row.parked.get(streamId)!.queued.add(version);
          }
        });
        return parked;
      },
      async park({ streamId, version }, error) {
        changes.push((row) => {
          const parked = row.parked.get(streamId) ?? { version, error, since: tables.now(), queued: new Set() };
          parked.queued.add(version);
          row.parked.set(streamId, parked);
        });
      },
      async move(owner, from, to) {
        const check: Condition = (row) => {
          const ours = row?.owner === owner && row.at.generation === from.generation;
          if (!ours || compareCursors(row.at, from) !== 0) throw new CheckpointMoved();
        };
        check(current());
        conditions.push(check);
        changes.push((row) => {
          row.at = Object.freeze({ ...to, generation: row.at.generation });
        });
      },
      async beginReplay(streamId) {
        const versions = [...(current()?.parked.get(streamId)?.queued ?? [])].sort((a, b) => a - b);
        conditions.push((row) => {
          if ((row?.parked.get(streamId)?.queued.size ?? 0) !== versions.length) throw replayed(streamId);
        });
        return versions;
      },
      async endReplay(streamIds) {
        changes.push((row) => {
          for (const streamId of streamIds) row.parked.delete(streamId);
        });
      },
    };
  }
}

function replayed(streamId: string): TryLater {
  return new TryLater(`the parked stream ${streamId} was changed by another transaction meanwhile`);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
