/** What one cluster may send, as one process that reads it counts. What was not used for a minute is saved up. */
export interface ClusterBudget {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Far above what an API server can bind, and what its pods weigh; a cluster of 18,000 pods may send them all at once. */
export const DEFAULT_CLUSTER_BUDGET: ClusterBudget = { messagesPerSecond: 300, bytesPerSecond: 4 * 1024 * 1024 };

const SAVED_UP_SECONDS = 60;
/**
 * Share of a cluster's bytes that its inventories may take, and how long it is saved up: with the default, one of 150,000 pods, as many as a cluster
 * of Kubernetes has, in three minutes. Agents send one every five. To read a large part of one keeps everybody else waiting for tens of milliseconds.
 */
const OF_INVENTORIES = 1 / 48;
const INVENTORIES_SAVED_UP_SECONDS = 180;
/** What a part of an inventory counts beside its bytes: it costs statements, however small it is. */
const INVENTORY_PART_BYTES = 16_384;
/** What is older counts as of then: where the broker takes the sender's word for its time, that is all that a made up time gains. */
const OLDEST_MS = 3_600_000;

/**
 * Buckets of tokens by name, which fill with time, and time is what the caller says it is: it never goes back. Whoever has any token left may take
 * more than that and is then in debt, so that nothing is too large for a bucket.
 */
export class TokenBuckets {
  private readonly perSecond: number;
  private readonly most: number;
  private readonly buckets = new Map<string, { tokens: number; at: number }>();

  constructor(perSecond: number, savedUpSeconds = SAVED_UP_SECONDS) {
    this.perSecond = perSecond;
    this.most = perSecond * savedUpSeconds;
  }

  /** Tokens of a bucket; below 1: nobody may take any. */
  left(name: string, at: number): number {
    const bucket = this.buckets.get(name);
    if (!bucket) return this.most;
    const seconds = Math.max(0, at - bucket.at) / 1_000;
    return Math.min(this.most, bucket.tokens + seconds * this.perSecond);
  }

  take(name: string, amount: number, at: number): void {
    const tokens = this.left(name, at) - amount;
    this.buckets.set(name, { tokens, at: Math.max(at, this.buckets.get(name)?.at ?? 0) });
  }
}

/** What a message costs. */
export interface Cost {
  readonly bytes: number;
  /** A part of an inventory: these have a share of their own of the bytes, since to read one costs the others most. */
  readonly isInventory: boolean;
  /** Epoch milliseconds, of the log. */
  readonly sentAt: number;
}

/**
 * What clusters have left of their budgets. Only a proven sender may be named: whoever may write to the log can write anybody's name.
 *
 * Time is that of the log: the hour that a fleet was away brings an hour's worth of messages, and that is no offence. A message from the future counts
 * as one of now.
 */
export class ClusterBudgets {
  private readonly buckets: Buckets;

  constructor(budget: ClusterBudget) {
    this.buckets = {
      messages: new TokenBuckets(budget.messagesPerSecond),
      bytes: new TokenBuckets(budget.bytesPerSecond),
      inventories: new TokenBuckets(budget.bytesPerSecond * OF_INVENTORIES, INVENTORIES_SAVED_UP_SECONDS),
    };
  }

  /** For one batch. `now`: epoch milliseconds. */
  begin(now: number): Allowance {
    return new Allowance(this.buckets, now);
  }

  /** Messages that the cluster may send now. */
  room(clusterId: string, now: number): number {
    const { messages, bytes } = this.buckets;
    return bytes.left(clusterId, now) < 1 ? 0 : Math.max(0, Math.floor(messages.left(clusterId, now)));
  }
}

const NAMES = ['messages', 'bytes', 'inventories'] as const;
type Buckets = Readonly<Record<(typeof NAMES)[number], TokenBuckets>>;
type Amounts = Readonly<Record<(typeof NAMES)[number], number>>;
const NOTHING: Amounts = { messages: 0, bytes: 0, inventories: 0 };

/** What one batch takes; one that fails comes again, and gives it back. */
export class Allowance {
  private readonly buckets: Buckets;
  private readonly now: number;
  private readonly taken = new Map<string, Amounts>();

  constructor(buckets: Buckets, now: number) {
    this.buckets = buckets;
    this.now = now;
  }

  /** Whether the cluster may say this as well; if so, it has. */
  admit(clusterId: string, { bytes, isInventory, sentAt }: Cost): boolean {
    const at = Math.min(Math.max(sentAt, this.now - OLDEST_MS), this.now);
    const wanted: Amounts = { messages: 1, bytes, inventories: isInventory ? bytes + INVENTORY_PART_BYTES : 0 };
    for (const name of NAMES) if (wanted[name] > 0 && this.buckets[name].left(clusterId, at) < 1) return false;
    const before = this.taken.get(clusterId) ?? NOTHING;
    for (const name of NAMES) if (wanted[name] > 0) this.buckets[name].take(clusterId, wanted[name], at);
    this.taken.set(clusterId, {
      messages: before.messages + wanted.messages,
      bytes: before.bytes + wanted.bytes,
      inventories: before.inventories + wanted.inventories,
    });
    return true;
  }

  giveBack(): void {
    for (const [clusterId, amounts] of this.taken)
      for (const name of NAMES) if (amounts[name] > 0) this.buckets[name].take(clusterId, -amounts[name], 0);
    this.taken.clear();
  }
}
