import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom, SystemClock, VirtualClock, type Clock } from '#libs/runtime';
import { createTestDatabase, eventually } from '#libs/testing';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event } from '../spec/contract/under-test.ts';
import type { RecordedEvent } from './event-store.ts';
import { Nudge } from './nudge.ts';
import { PostgresCheckpoints } from './postgres-checkpoints.ts';
import { asSqlClient, PostgresTransactions, type SqlClient } from './sql-client.ts';
import { Subscription, type SubscriptionOptions } from './subscription.ts';
import { TryLater } from './trouble.ts';
import { WakeUp } from './wake-up.ts';

/** Sleeps pass at once: what is tested is not how long it waits. */
class Hurried extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

let under: PostgresUnderTest;
beforeEach(async () => {
  under = await postgresUnderTest(await createTestDatabase());
  // A read model of the simplest kind.
  await under.owner.query(
    'create table fleet.seen (stream_id text, version bigint, type text, primary key (stream_id, version))',
  );
});
afterEach(() => under.close());

const write = async (events: readonly RecordedEvent[], tx: SqlClient): Promise<void> => {
  for (const e of events) await tx.query('insert into fleet.seen values ($1, $2, $3)', [e.streamId, e.version, e.type]);
};

function subscription(more: Partial<SubscriptionOptions<SqlClient>> = {}): Subscription {
  return new Subscription({
    name: 'seen',
    owner: 'me',
    store: under.store,
    checkpoints: new PostgresCheckpoints(asSqlClient(under.pool), new PostgresTransactions(under.pool)),
    handler: write,
    batchSize: 4,
    clock: new Hurried(),
    random: new SeededRandom(1),
    ...more,
  });
}

async function drain(reader: Subscription): Promise<void> {
  while ((await reader.step()) === 'busy');
}

async function seen(): Promise<string[]> {
  const { rows } = await under.pool.query<{ it: string }>(
    `select stream_id || version as it from fleet.seen order by 1`,
  );
  return rows.map((row) => row.it);
}

async function append(streamId: string, expected: number, ...types: string[]): Promise<void> {
  const results = await under.store.append([{ streamId, expected, events: types.map((type) => event(type)) }]);
  expect(results).toMatchObject([{ ok: true }]);
  // Else a transaction of another database could hide it from the next step.
  await under.settled();
}

describe('a subscription', () => {
  it('hands every event to its handler once, and stands at the end', async () => {
    await append('a', 0, 'X', 'X', 'X');
    await append('b', 0, 'X', 'X', 'X');

    const reader = subscription();
    await drain(reader);
    await drain(reader);
    await append('a', 3, 'X');
    await drain(reader);

    expect(await seen()).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'b3']);
    expect((await under.store.lag()).subscriptions).toMatchObject([
      { name: 'seen', owner: 'me', events: 0, seconds: 0, parkedStreams: 0 },
    ]);
  });

  it('says how far it is behind', async () => {
    await drain(subscription());
    await append('a', 0, 'X', 'X');
    await under.advance(9_000);

    expect((await under.store.lag()).subscriptions).toMatchObject([{ name: 'seen', events: 2, seconds: 9 }]);
  });

  it('moves over events that it does not want', async () => {
    await append('a', 0, 'Dull', 'Dull', 'Dull', 'Dull', 'Dull', 'Bright');

    await drain(subscription({ types: ['Bright'] }));

    expect(await seen()).toEqual(['a6']);
    await append('b', 0, 'Dull');
    await drain(subscription({ types: ['Bright'] }));
    expect((await under.store.lag()).subscriptions).toMatchObject([{ events: 0 }]);
  });

  it('has one reader; another takes over when the lease lapses, or at once when the first leaves', async () => {
    const first = subscription({ owner: 'first', leaseMs: 5_000 });
    const second = subscription({ owner: 'second', leaseMs: 5_000 });
    await first.step();
    await append('a', 0, 'X');

    await second.step();
    expect(await seen()).toEqual([]);
    await under.advance(5_001);
    await second.step();
    expect(await seen()).toEqual(['a1']);

    await append('a', 1, 'X');
    await second.leave();
    await first.step();
    expect(await seen()).toEqual(['a1', 'a2']);
  });

  it('undoes what a reader wrote who was replaced while it worked', async () => {
    await append('a', 0, 'X', 'X');
    const second = subscription({ owner: 'second' });
    const first = subscription({
      owner: 'first',
      leaseMs: 1_000,
      handler: async (events, tx) => {
        await write(events, tx);
        await under.advance(1_001);
        // Not in this transaction: another process, which reads and writes the same.
        await under.owner.query(`select * from es.lease_subscription('seen', 'second', 60000)`);
      },
    });

    expect(await first.step()).toBe('idle');
    expect(await seen()).toEqual([]);
    await drain(second);
    expect(await seen()).toEqual(['a1', 'a2']);
  });

  it('parks the stream of an event that cannot be handled, lets others flow, and replays it', async () => {
    let broken = true;
    let tries = 0;
    const parked: string[] = [];
    const reader = subscription({
      handler: async (events, tx) => {
        for (const e of events) {
          if (broken && e.type === 'Poison') {
            tries++;
            throw new Error('cannot read it: https://ecs.example/?AccessKeyId=hidden');
          }
        }
        await write(events, tx);
      },
      onParked: ({ streamId, version }) => void parked.push(`${streamId}${version}`),
    });
    await append('a', 0, 'X', 'Poison', 'X');
    await append('b', 0, 'X', 'X');

    await drain(reader);
    await append('a', 3, 'X');
    await append('b', 2, 'X');
    await drain(reader);

    expect(await seen()).toEqual(['a1', 'b1', 'b2', 'b3']);
    // Once in the batch, then three times on its own.
    expect(tries).toBe(4);
    expect(parked).toEqual(['a2']);
    expect(await reader.parkedStreams()).toMatchObject([
      { streamId: 'a', version: 2, queued: 3, error: 'Error: cannot read it: https://ecs.example/?…' },
    ]);

    await expect(reader.replay('a')).rejects.toThrow('cannot read it');
    expect(await reader.parkedStreams()).toHaveLength(1);

    broken = false;
    expect(await reader.replay('a')).toBe(3);
    expect(await reader.parkedStreams()).toEqual([]);
    await append('a', 4, 'X');
    await drain(reader);
    expect(await seen()).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2', 'b3']);
  });

  it('parks a stream whose event breaks a rule of the read model', async () => {
    await under.owner.query(`alter table fleet.seen add check (type <> 'Poison')`);
    await append('a', 0, 'Poison');
    await append('b', 0, 'X');
    const reader = subscription();

    await drain(reader);

    expect(await seen()).toEqual(['b1']);
    expect(await reader.parkedStreams()).toMatchObject([{ streamId: 'a', version: 1 }]);
  });

  it('parks nothing when what the handler needs is away', async () => {
    await append('a', 0, 'X');
    let away: Error | undefined = new TryLater('the broker does not answer');
    const reader = subscription({
      handler: async (events, tx) => {
        if (away) throw away;
        await write(events, tx);
      },
    });

    await expect(reader.step()).rejects.toThrow('broker');
    away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    await expect(reader.step()).rejects.toThrow('ECONNREFUSED');
    expect(await reader.parkedStreams()).toEqual([]);
    away = undefined;
    await drain(reader);
    expect(await seen()).toEqual(['a1']);
  });
});

describe('wake-ups', () => {
  const system: Clock = new SystemClock();

  it('tell other processes of appends, and not the one that appended', async () => {
    const elsewhere = new Nudge();
    const heard = { here: 0, there: 0, mine: 0 };
    elsewhere.on((origin) => void (origin === 'elsewhere' && heard.there++));
    under.store.appended.on((origin) => void (origin === 'here' ? heard.here++ : heard.mine++));
    const options = { databaseUrl: under.url, clock: system, random: new SeededRandom(1) };
    const a = new WakeUp({ ...options, appended: under.store.appended });
    const b = new WakeUp({ ...options, appended: elsewhere });
    a.start();
    b.start();
    // Each nudges once when it begins to listen.
    await eventually(() => heard.there >= 1 && heard.mine >= 1, { what: 'both listen' });
    const before = { ...heard };

    for (let i = 0; i < 20; i++) await append('a', i, 'X');
    await eventually(() => heard.there > before.there, { what: 'the other process hears of it' });

    expect(heard.here - before.here).toBe(20);
    expect(heard.there - before.there).toBeLessThan(20);
    expect(heard.mine).toBe(before.mine);
    await Promise.all([a.stop(), b.stop()]);
  });

  it('listen again after the connection was cut', async () => {
    const nudge = new Nudge();
    let heard = 0;
    nudge.on((origin) => void (origin === 'elsewhere' && heard++));
    const errors: unknown[] = [];
    const wakeUp = new WakeUp({
      databaseUrl: under.url,
      appended: nudge,
      clock: system,
      random: new SeededRandom(1),
      onError: (error) => void errors.push(error),
    });
    wakeUp.start();
    await eventually(() => heard === 1, { what: 'it listens' });

    await under.owner.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'eci-fleet wake-up' and datname = current_database()`,
    );

    await eventually(() => heard === 2, { what: 'it listens again' });
    expect(errors).toHaveLength(1);
    await wakeUp.stop();
  });
});
