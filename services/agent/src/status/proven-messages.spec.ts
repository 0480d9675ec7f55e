import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandKey, topics, type PodStatusMessage } from '#libs/contracts';
import { macKeyOf, withMac, type Batch, type MacKey, type OutgoingMessage } from '#libs/messaging';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { ClusterTopicReader } from './cluster-topic-reader.ts';
import type { ProofTerms } from './proven-messages.ts';
import { StatusBook } from './status-book.ts';

const TOPIC = topics('eci-fleet').cluster('k1');
const HUGE = Number.MAX_SAFE_INTEGER;

interface Key {
  readonly kid: string;
  readonly bytes: Uint8Array;
}
const newKey = (kid: string): Key => ({ kid, bytes: randomBytes(32) });
const macKey = ({ kid, bytes }: Key): MacKey => macKeyOf(kid, bytes);
const terms = (keys: readonly Key[], statusesProven = true): ProofTerms => ({
  statusKeys: keys.map(({ kid, bytes }) => ({ kid, key: Buffer.from(bytes).toString('base64url') })),
  statusesProven,
});

const status = (podUid: string, revision: number, phase = 'Running'): OutgoingMessage => {
  const message: PodStatusMessage = {
    kind: 'PodStatus',
    schemaVersion: 1,
    podUid,
    namespace: 'n',
    name: podUid,
    revision,
    status: { phase },
    annotations: {},
    finalize: revision === HUGE,
    events: [],
  };
  return { key: podUid, value: Buffer.from(JSON.stringify(message)) };
};
const tombstone = (key: string): OutgoingMessage => ({ key, value: null });
const inventoryAsked = (at: string): OutgoingMessage => ({
  key: commandKey('SendInventory'),
  value: Buffer.from(JSON.stringify({ kind: 'Command', name: 'SendInventory', at })),
});

/** The reader of one agent with its book, and a control plane whose answers are played. */
class Agent {
  readonly clock = new VirtualClock();
  readonly book = new StatusBook();
  readonly metrics = new Metrics();
  commands = 0;
  asked = 0;
  lost = 0;
  private offset = 0;
  readonly reader: ClusterTopicReader;

  constructor() {
    const { clock, metrics, book } = this;
    this.reader = new ClusterTopicReader({
      writer: {
        onMessage: (message, proven) => void book.accept(message, proven),
        onTombstone: (uid) => book.forget(uid),
        onRefused: (uid) => book.overlay(uid),
        distrust: () => book.distrust(),
      },
      onCommand: () => void (this.commands += 1),
      askSession: () => void (this.asked += 1),
      onLost: () => void (this.lost += 1),
      clock,
      random: new SeededRandom(1),
      logger: silentLogger,
      metrics,
      aside: new AsideItems({ loop: 'messages', clock, logger: silentLogger, metrics }),
    });
  }

  hears(...messages: readonly OutgoingMessage[]): void {
    const batch: Batch = {
      topic: TOPIC,
      partition: 0,
      epoch: 1,
      from: '0',
      next: '0',
      signal: new AbortController().signal,
      messages: messages.map((message) => ({
        headers: {},
        ...message,
        offset: `${this.offset++}`,
        timestamp: this.clock.now(),
      })),
    };
    this.reader.handle(batch);
  }

  /** A session is answered to a call that is made now. */
  answered(answer: ProofTerms): void {
    this.reader.onSession(answer, this.clock.monotonic());
  }

  revision(uid: string): number | undefined {
    return this.book.newest(uid)?.revision;
  }

  async refused(): Promise<Record<string, number>> {
    const lines = [...(await this.metrics.text()).matchAll(/messages_refused_total\{reason="([a-z-]+)"[^}]*\} (\d+)/g)];
    return Object.fromEntries(lines.map(([, reason, count]) => [reason, Number(count)]));
  }
}

const says = (key: Key, message: OutgoingMessage, topic = TOPIC): OutgoingMessage =>
  withMac(topic, message, macKey(key));

describe('an agent that believes the control plane alone', () => {
  it('is told nothing by anybody else, whatever they write and however often', () => {
    const [ours, theirs, other] = [newKey('ours'), newKey('theirs'), newKey('other-cluster')];
    const truth = [says(ours, status('u1', 4)), says(ours, status('u2', 7)), says(ours, status('u1', 5))];
    const forged: OutgoingMessage[] = [
      status('u1', HUGE, 'Failed'),
      tombstone('u1'),
      inventoryAsked('9999-01-01T00:00:00.000Z'),
      says(theirs, status('u1', HUGE, 'Failed')),
      says(theirs, tombstone('u2')),
      says({ ...theirs, kid: ours.kid }, status('u1', HUGE, 'Failed')),
      says({ ...theirs, kid: ours.kid }, inventoryAsked('9999-01-01T00:00:00.000Z')),
      // True words: of another pod, of another cluster, of a value that was changed, and old ones again.
      { ...says(ours, status('u2', 7)), key: 'u1' },
      says(other, status('u1', HUGE, 'Failed'), topics('eci-fleet').cluster('k2')),
      says(ours, status('u1', HUGE, 'Failed'), topics('eci-fleet').cluster('k2')),
      { ...status('u1', HUGE, 'Failed'), headers: says(ours, status('u1', 5)).headers! },
      { ...tombstone('u1'), headers: says(ours, status('u1', 5)).headers! },
      says(ours, status('u1', 4)),
    ];
    fc.assert(
      fc.property(
        fc.array(fc.nat(forged.length - 1), { maxLength: 40 }),
        fc.array(fc.nat(40), { minLength: truth.length, maxLength: truth.length }),
        (lies, places) => {
          const agent = new Agent();
          agent.answered(terms([ours]));
          const said = lies.map((index) => forged[index]!);
          // The truth in its order, anywhere between.
          const at = [...places].sort((a, b) => a - b);
          truth.forEach((message, i) => said.splice(Math.min(said.length, at[i]! + i), 0, message));
          agent.hears(...said);
          agent.answered(terms([ours]));
          expect([agent.revision('u1'), agent.revision('u2')]).toEqual([5, 7]);
          expect(agent.book.newest('u1')?.status).toEqual({ phase: 'Running' });
          expect(agent.commands).toBe(0);
        },
      ),
    );
  });

  it('counts what it leaves out, by why', async () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours]));
    agent.hears(status('u1', HUGE), says(newKey('theirs'), status('u1', 3)));
    agent.hears(says({ ...newKey(''), kid: ours.kid }, status('u1', 3)));
    await agent.clock.advance(1);
    agent.answered(terms([ours]));
    expect(await agent.refused()).toEqual({ unproven: 1, 'unknown-key': 1, 'wrong-proof': 1 });
  });

  it('takes tombstones and commands of the control plane', () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours]));
    agent.hears(says(ours, status('u1', 1)), says(ours, tombstone('u1')), says(ours, inventoryAsked('2026-01-01')));
    expect(agent.revision('u1')).toBeUndefined();
    expect(agent.commands).toBe(1);
  });

  it('loses nothing that is true when keys change, however the answer and the messages meet', async () => {
    const agent = new Agent();
    const [before, after] = [newKey('before'), newKey('after')];
    agent.answered(terms([before]));
    agent.hears(says(before, status('u1', 1)));

    // when a call is under way, whose answer is older than the key
    const calledAt = agent.clock.monotonic();
    await agent.clock.advance(10);
    agent.hears(says(after, status('u1', 2)), says(after, status('u2', 1)));
    agent.reader.onSession(terms([before]), calledAt);
    expect(agent.revision('u1')).toBe(1);
    await agent.clock.advance(1);
    expect(agent.asked).toBe(1);

    // then the next answer brings it
    agent.answered(terms([before, after]));
    expect([agent.revision('u1'), agent.revision('u2')]).toEqual([2, 1]);
    expect(await agent.refused()).toEqual({});
  });

  it('asks more and more seldom about what nobody can prove', async () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours]));
    let asked = 0;
    for (let second = 0; second < 3_600; second++) {
      agent.hears(says(newKey(`k${second}`), status('u1', HUGE)), status('u1', HUGE));
      await agent.clock.advance(1_000);
      if (agent.asked === asked) continue;
      asked = agent.asked;
      agent.answered(terms([ours]));
    }
    // An hour of renewals every four minutes are 15.
    expect(asked).toBeLessThan(25);
    expect(asked).toBeGreaterThan(10);
  });

  it('holds so much and no more, and asks for what it could not hold', async () => {
    const agent = new Agent();
    const [ours, next] = [newKey('ours'), newKey('next')];
    agent.answered(terms([ours]));
    agent.hears(...Array.from({ length: 6_000 }, (_, i) => says(next, status(`u${i}`, 1))));
    await agent.clock.advance(1);
    agent.answered(terms([ours, next]));
    expect(agent.book.size).toBe(5_000);
    expect(agent.lost).toBe(1);
  });

  it('goes on with a control plane that went back to a version that proves nothing, and not because of what is on the topic', async () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours]));
    agent.hears(says(ours, status('u1', 1)), status('u1', 2));
    expect(agent.revision('u1')).toBe(1);
    await agent.clock.advance(1);
    expect(agent.asked).toBe(1);
    agent.answered({});
    expect(agent.revision('u1')).toBe(2);
  });

  it('knows when all that it has read is decided', async () => {
    const agent = new Agent();
    agent.answered(terms([newKey('ours')]));
    await agent.reader.decided();
    agent.hears(status('u1', 1));
    let decided = false;
    const waiting = agent.reader.decided().then(() => (decided = true));
    await agent.clock.advance(10);
    expect(decided).toBe(false);
    agent.answered(terms([newKey('ours')]));
    await waiting;
    // An answer that never comes keeps nobody waiting for ever.
    agent.hears(status('u1', 1));
    const patient = agent.reader.decided();
    await agent.clock.advance(60_000);
    await patient;
  });
});

describe('an agent that is told to believe everybody for now', () => {
  it('takes what carries no proof, or one that it cannot tell, and nothing whose proof is wrong', () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours], false));
    agent.hears(status('u1', 1), says(newKey('next'), status('u2', 1)), says(ours, status('u3', 1)));
    agent.hears({ ...status('u3', 9), headers: says(ours, status('u3', 1)).headers! });
    expect(['u1', 'u2', 'u3'].map((uid) => agent.revision(uid))).toEqual([1, 1, 1]);
  });

  it('forgets what was not proven once that counts no longer, and asks for it', () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours], false));
    agent.hears(status('u1', HUGE, 'Failed'), status('u2', 3), says(ours, status('u3', 1)));
    // Everything is said anew with a proof before the agent is told: the numbers are those that there were.
    agent.hears(says(ours, status('u1', 4)), says(ours, status('u2', 3)));
    expect(agent.revision('u1')).toBe(HUGE);

    agent.answered(terms([ours]));
    expect([agent.revision('u1'), agent.revision('u2'), agent.revision('u3')]).toEqual([undefined, 3, 1]);
    expect(agent.lost).toBe(1);
    agent.hears(says(ours, status('u1', 4)));
    expect(agent.revision('u1')).toBe(4);
  });

  it('does so with a control plane that knows of no proofs', () => {
    const agent = new Agent();
    agent.answered({});
    agent.hears(status('u1', 1), says(newKey('x'), status('u1', 2)));
    expect(agent.revision('u1')).toBe(2);
    expect(agent.reader.believesUnproven).toBe(true);
  });
});

describe('a status that something else was written over', () => {
  it('is asked for again by the next inventory, since a later start would not find it, until it is the last word once more', async () => {
    const agent = new Agent();
    const ours = newKey('ours');
    agent.answered(terms([ours]));
    const kept = (): number | undefined => agent.book.kept('u1');
    const sayAnew = (): void => agent.hears(says(ours, status('u1', 3)));
    agent.hears(says(ours, status('u1', 2)), says(ours, status('u1', 3)));
    agent.book.wrote('u1', 3);
    expect(kept()).toBe(3);

    // by an old word, said again
    agent.hears(says(ours, status('u1', 2)));
    expect(kept()).toBeUndefined();
    sayAnew();
    expect(kept()).toBe(3);

    // by a forged one
    agent.hears({ ...status('u1', HUGE), headers: says(ours, status('u1', 3)).headers! });
    expect(kept()).toBeUndefined();
    sayAnew();
    expect(kept()).toBe(3);
    expect(agent.revision('u1')).toBe(3);
  });
});
