/** What one cluster may send, as one process that reads it counts. What was not used for a minute is saved up. */
export interface ClusterBudget {
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Far above what an API server can bind, and what its pods weigh; a cluster of 18,000 pods may send them all at once. */
export const DEFAULT_CLUSTER_BUDGET: ClusterBudget = { messagesPerSecond: 300, bytesPerSecond: 4 * 1024 * 1024 };

const SAVED_UP_SECONDS = 60;
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

/**
 * What clusters have left of their budgets. Only a proven sender may be named: whoever may write to the log can write anybody's name.
 *
 * Time is that of the log: the hour that a fleet was away brings an hour's worth of messages, and that is no offence. A message from the future counts
 * as one of now.
 */
export class ClusterBudgets {
  private readonly messages: TokenBuckets;
  private readonly bytes: TokenBuckets;

  constructor(budget: ClusterBudget) {
    this.messages = new TokenBuckets(budget.messagesPerSecond);
    this.bytes = new TokenBuckets(budget.bytesPerSecond);
  }

  /** For one batch. `now`: epoch milliseconds. */
  begin(now: number): Allowance {
    return new Allowance(this.messages, this.bytes, now);
  }

  /** Messages that the cluster may send now. */
  room(clusterId: string, now: number): number {
    return this.bytes.left(clusterId, now) < 1 ? 0 : Math.max(0, Math.floor(this.messages.left(clusterId, now)));
  }
}

/** What one batch takes; one that fails comes again, and gives it back. */
export class Allowance {
  private readonly messages: TokenBuckets;
  private readonly bytes: TokenBuckets;
  private readonly now: number;
  private readonly taken = new Map<string, { messages: number; bytes: number }>();

  constructor(messages: TokenBuckets, bytes: TokenBuckets, now: number) {
    this.messages = messages;
    this.bytes = bytes;
    this.now = now;
  }

  /** Whether the cluster may say this as well; if so, it has. `sentAt`: epoch milliseconds. */
  admit(clusterId: string, bytes: number, sentAt: number): boolean {
    const at = Math.min(Math.max(sentAt, this.now - OLDEST_MS), this.now);
    if (this.messages.left(clusterId, at) < 1 || this.bytes.left(clusterId, at) < 1) return false;
    this.messages.take(clusterId, 1, at);
    this.bytes.take(clusterId, bytes, at);
    const before = this.taken.get(clusterId) ?? { messages: 0, bytes: 0 };
    this.taken.set(clusterId, { messages: before.messages + 1, bytes: before.bytes + bytes });
    return true;
  }

  giveBack(): void {
    for (const [clusterId, { messages, bytes }] of this.taken) {
      this.messages.take(clusterId, -messages, 0);
      this.bytes.take(clusterId, -bytes, 0);
    }
    this.taken.clear();
  }
}
