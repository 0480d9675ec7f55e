import type { KeyObject } from 'node:crypto';
import type { SessionResponse } from '#libs/contracts';
import { checkMac, macKeyOf, type IncomingMessage } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';

export type TopicMessage = Pick<IncomingMessage, 'key' | 'value' | 'headers' | 'offset'>;

/** What a session answered about the proofs of the topic. */
export type ProofTerms = Pick<SessionResponse, 'statusKeys' | 'statusesProven'>;

interface ProvenMessagesOptions {
  /** Takes a message that counts. `proven`: whoever holds a status key of this cluster has said it. */
  readonly take: (message: TopicMessage, proven: boolean) => void;
  /** Something was said under this key that does not count. */
  readonly onRefused: (key: string) => void;
  /** Asks for the session again, soon: it brings the keys that there are now. */
  readonly askAgain: () => void;
  /** From now on only what is proven counts: what was taken without a proof does so no longer. */
  readonly onlyProven: () => void;
  /** Something may have been lost that was true: the control plane is to say it once more. */
  readonly onLost: () => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

type Reason = 'unproven' | 'unknown-key' | 'wrong-proof' | 'too-many';

interface Held {
  readonly topic: string;
  readonly message: TopicMessage;
  /** By the monotonic clock: an answer that was asked for later knows its key, or nobody does. */
  readonly at: number;
}

interface Terms {
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly onlyProven: boolean;
}

/** So much waits for an answer; what comes beyond it is asked for by an inventory. */
const MAX_HELD = 5_000;
const MAX_HELD_BYTES = 32 * 1024 * 1024;
/** Asking because of what cannot be told: at once, then ever more seldom while the answers change nothing. The session is renewed as often as the last anyway. */
const ASK_AGAIN = { baseMs: 5_000, capMs: 240_000 };
const SAY_EVERY_MS = 60_000;

/**
 * Tells what the control plane has said on the cluster's topic from what somebody else has: a message counts by its MAC, never by what it says of itself,
 * such as its revision. The keys, and whether messages without a MAC may count at all, come with the session and from nowhere else.
 *
 * What cannot be told, because its key is new or because the control plane may have gone back to a version that proves nothing, is held until an answer of
 * the control plane that was asked for after it: nothing true is lost, and nothing forged is believed. What a forger can bring about by that is a call
 * every few minutes.
 */
export class ProvenMessages {
  private readonly options: ProvenMessagesOptions;
  private readonly refused;
  private readonly stopping = new AbortController();
  private terms: Terms | undefined;
  private held: Held[] = [];
  private heldBytes = 0;
  private overflowed = false;
  private readonly waiting = new Set<{ readonly until: number; readonly resolve: () => void }>();
  /** Answers in a row that were asked for and changed nothing. */
  private inVain = 0;
  private mayAskAt = -Infinity;
  private asking = false;
  private saidAt = -Infinity;
  private unsaid = 0;

  constructor(options: ProvenMessagesOptions) {
    this.options = options;
    this.refused = options.metrics.counter(
      'eci_fleet_agent_messages_refused_total',
      'Messages on the topic of this cluster that the control plane has not said, by why',
      ['reason'],
    );
  }

  /** Whether anything without a MAC counts at the moment. */
  get believesUnproven(): boolean {
    return !this.terms?.onlyProven;
  }

  onMessage(topic: string, message: TopicMessage): void {
    this.decide({ topic, message, at: this.options.clock.monotonic() }, (held) => this.hold(held));
  }

  /** `askedAt`: when the answer was asked for, by the monotonic clock. */
  onSession({ statusKeys, statusesProven = false }: ProofTerms, askedAt: number): void {
    const before = this.terms;
    // A control plane that gives no keys proves nothing; there is nothing else to go by.
    this.terms = statusKeys && {
      keys: new Map(statusKeys.map(({ kid, key }) => [kid, macKeyOf(kid, Buffer.from(key, 'base64url')).key])),
      onlyProven: statusesProven,
    };
    if (this.terms?.onlyProven && !before?.onlyProven) this.options.onlyProven();
    this.settle(askedAt);
  }

  /** Resolves when all that came until now has been taken or refused, and after `patienceMs` at the latest. */
  async decided(patienceMs: number): Promise<void> {
    const last = this.held.at(-1);
    if (!last) return;
    const over = new AbortController();
    const entry = { until: last.at, resolve: () => over.abort() };
    this.waiting.add(entry);
    await this.options.clock.sleep(patienceMs, over.signal);
    this.waiting.delete(entry);
  }

  stop(): void {
    this.stopping.abort();
    for (const { resolve } of this.waiting) resolve();
  }

  private decide(held: Held, undecided: (held: Held, reason: Reason) => void): boolean {
    const { topic, message } = held;
    if (!this.terms) {
      this.options.take(message, false);
      return true;
    }
    const { keys, onlyProven } = this.terms;
    switch (checkMac(topic, message, (kid) => keys.get(kid))) {
      case 'valid':
        this.options.take(message, true);
        return true;
      case 'wrong':
        this.refuse(message, 'wrong-proof');
        return false;
      case 'absent':
        if (onlyProven) undecided(held, 'unproven');
        else this.options.take(message, false);
        return !onlyProven;
      case 'unknown-key':
        // Whoever could make this one up could leave the MAC away as well.
        if (onlyProven) undecided(held, 'unknown-key');
        else this.options.take(message, false);
        return !onlyProven;
    }
  }

  private hold(held: Held): void {
    const size = held.message.value?.byteLength ?? 0;
    if (this.held.length >= MAX_HELD || this.heldBytes + size > MAX_HELD_BYTES) {
      this.overflowed = true;
      this.refuse(held.message, 'too-many');
      return;
    }
    this.held.push(held);
    this.heldBytes += size;
    void this.ask();
  }

  private settle(askedAt: number): void {
    const held = this.held;
    this.held = [];
    this.heldBytes = 0;
    let taken = 0;
    for (const each of held) {
      const wasTaken = this.decide(each, (one, reason) => {
        // One that came after the question may be of a key that is newer than the answer.
        if (one.at > askedAt) this.hold(one);
        else this.refuse(one.message, reason);
      });
      if (wasTaken) taken += 1;
    }
    this.inVain = held.length > 0 && taken === 0 ? this.inVain + 1 : 0;
    if (this.overflowed && taken > 0) this.options.onLost();
    this.overflowed = false;
    const first = this.held[0]?.at ?? Infinity;
    for (const { until, resolve } of this.waiting) if (until < first) resolve();
  }

  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const { clock, askAgain } = this.options;
    // Several may come at once; those of them that are true have one key.
    await clock.sleep(Math.max(0, this.mayAskAt - clock.monotonic()), this.stopping.signal);
    this.asking = false;
    if (this.held.length === 0 || this.stopping.signal.aborted) return;
    const waitMs = Math.min(ASK_AGAIN.capMs, ASK_AGAIN.baseMs * 2 ** this.inVain);
    this.mayAskAt = clock.monotonic() + waitMs;
    askAgain();
  }

  private refuse({ key, offset }: TopicMessage, reason: Reason): void {
    this.refused.inc({ reason });
    this.options.onRefused(key);
    this.unsaid += 1;
    const { clock, logger } = this.options;
    if (clock.monotonic() - this.saidAt < SAY_EVERY_MS) return;
    this.saidAt = clock.monotonic();
    logger.warn(
      'left out what the control plane has not said: something else writes to the topic of this cluster, or a key has ended',
      { reason, messages: this.unsaid, lastKey: key, lastOffset: offset },
    );
    this.unsaid = 0;
  }
}
