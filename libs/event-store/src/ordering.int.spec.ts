import fc from 'fast-check';
import type { PoolClient } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase, eventually } from '#libs/testing';
import { appendRequest } from './append-request.ts';
import { postgresUnderTest, type PostgresUnderTest } from '../spec/contract/postgres.ts';
import { event, readAll } from '../spec/contract/under-test.ts';
import { BEGINNING, compareCursors } from './cursor.ts';
import type { RecordedEvent, StreamAppend } from './event-store.ts';

let under: PostgresUnderTest;
beforeEach(async () => void (under = await postgresUnderTest(await createTestDatabase())));
afterEach(() => under.close());

/** An append inside a transaction that is still open; `outcome` of each stream. */
async function appendIn(client: PoolClient, ...streams: StreamAppend[]): Promise<string[]> {
  const values = [...appendRequest(streams), null, 0];
  const { rows } = await client.query<{ s: number; outcome: string }>(
    `select s, outcome from es.append_2(${values.map((_, index) => `$${index + 1}`).join(', ')})`,
    values,
  );
  return streams.map((_, index) => rows.find(({ s }) => s === index + 1)?.outcome ?? 'ok');
}

async function begin(): Promise<PoolClient> {
  const client = await under.pool.connect();
  await client.query('begin');
  return client;
}

async function commit(client: PoolClient): Promise<void> {
  await client.query('commit');
  client.release();
}

const opens = (streamId: string): StreamAppend => ({ streamId, expected: 0, events: [event()] });
const ids = (events: readonly { streamId: string }[]): string[] => events.map((e) => e.streamId);

describe('rule 1: the horizon', () => {
  it('hides what is committed while an older transaction still writes, and then shows both', async () => {
    const slow = await begin();
    await appendIn(slow, opens('slow'));
    await under.store.append([opens('fast')]);

    // Without the rule a reader sees `fast` (position 2) and takes it for the end: position 1 comes later and is lost.
    const naive = await under.pool.query<{ stream_id: string; position: string }>(
      'select stream_id, position from es.event',
    );
    expect(naive.rows).toEqual([{ stream_id: 'fast', position: '2' }]);
    const early = await under.store.readAll(BEGINNING, 10);
    expect(early.events).toEqual([]);

    await commit(slow);
    expect(ids(await readAll(under, early.next)).sort()).toEqual(['fast', 'slow']);
  });

  it('names the session that holds it back', async () => {
    const slow = await begin();
    await appendIn(slow, opens('slow'));
    const { rows } = await slow.query<{ pid: number }>('select pg_backend_pid() as pid');
    await under.store.append([opens('fast')]);
    await under.advance(7_000);

    // Other databases of the server may hold it back for a moment as well.
    const lag = await eventually(async () => [await under.store.lag()].find((l) => l.blocking?.pid === rows[0]!.pid), {
      what: 'our own transaction is the oldest of the server',
    });
    expect(lag.horizonLagSeconds).toBe(7);
    expect(lag.blocking).toMatchObject({ application: 'eci-fleet' });
    await commit(slow);
    await under.settled();
    expect((await under.store.lag()).horizonLagSeconds).toBe(0);
  });
});

describe('rule 2: the pair', () => {
  it('finds an event whose position is smaller than that of one already read', async () => {
    // `late` takes its transaction id after `early`, but its position before it.
    const early = await begin();
    await early.query('select pg_current_xact_id()');
    const late = await begin();
    await appendIn(late, opens('late'));
    await appendIn(early, opens('early'));
    await commit(early);

    const first = await eventually(
      async () => [await under.store.readAll(BEGINNING, 10)].find((r) => r.events.length > 0),
      {
        what: 'the reader sees the first event',
      },
    );
    await commit(late);
    await under.settled();
    const second = await under.store.readAll(first.next, 10);

    expect([ids(first.events), ids(second.events)]).toEqual([['early'], ['late']]);
    // A checkpoint of the position alone stands at 2 by then, and `late` is 1.
    expect([first.events[0]!.cursor.position, second.events[0]!.cursor.position]).toEqual(['2', '1']);
    const naive = await under.pool.query('select 1 from es.event where position > $1', [first.next.position]);
    expect(naive.rows).toEqual([]);
  });

  it('keeps a reader who was replaced from moving the checkpoint', async () => {
    await under.store.append([opens('a')]);
    const move = async (owner: string, from: string, to: string): Promise<unknown> =>
      (
        await under.pool.query('select es.move_checkpoint($1, $2, 1, $3::text::xid8, 0, $4::text::xid8, 0) as moved', [
          'p',
          owner,
          from,
          to,
        ])
      ).rows[0];
    await under.pool.query(`select * from es.lease_subscription('p', 'first', 1000)`);
    expect(await move('first', '0', '5')).toEqual({ moved: true });
    await under.advance(1_001);
    await under.pool.query(`select * from es.lease_subscription('p', 'second', 1000)`);

    expect(await move('first', '5', '9')).toEqual({ moved: false });
    expect(await move('second', '0', '9')).toEqual({ moved: false });
    expect(await move('second', '5', '9')).toEqual({ moved: true });
  });
});

describe('rule 3: the stream guard', () => {
  it('refuses a transaction that got its id before the version it follows', async () => {
    const early = await begin();
    await early.query('select pg_current_xact_id()');
    await under.store.append([opens('s')]);

    const outcome = await appendIn(early, { streamId: 's', expected: 1, events: [event()] });

    expect(outcome).toEqual(['guard']);
    await commit(early);
    // A fresh transaction is let through.
    expect(await under.store.append([{ streamId: 's', expected: 1, events: [event()] }])).toMatchObject([
      { ok: true, version: 2 },
    ]);
    expect((await readAll(under)).map((e) => e.version)).toEqual([1, 2]);
  });

  it('prevents version 2 before version 1, which is what a reader gets without it', async () => {
    const { rows } = await under.owner.query<{ text: string }>(
      `select pg_get_functiondef('es.append_2'::regproc) as text`,
    );
    const guarded = rows[0]!.text;
    const unguarded = guarded.replace('and (r.events = 0 or h.last_transaction_id <= pg_current_xact_id())', '');
    expect(unguarded).not.toBe(guarded);
    await under.owner.query(unguarded);
    const early = await begin();
    await early.query('select pg_current_xact_id()');
    await under.store.append([opens('s')]);

    expect(await appendIn(early, { streamId: 's', expected: 1, events: [event()] })).toEqual(['ok']);
    await commit(early);

    expect((await readAll(under)).map((e) => e.version)).toEqual([2, 1]);
  });

  /** The head says that a younger transaction wrote last. Ids grow with each try, so a later one gets through. */
  const blockFor = (streamId: string, transactions: number) =>
    under.owner.query(
      `update es.stream set last_transaction_id = (pg_current_xact_id()::text::bigint + $2)::text::xid8 where stream_id = $1`,
      [streamId, transactions],
    );

  it('retries by itself in a fresh transaction', async () => {
    await under.store.append([opens('s')]);
    await blockFor('s', 3);

    const results = await under.store.append([
      { streamId: 's', expected: 1, events: [event()] },
      { streamId: 't', expected: 3, events: [event()] },
      opens('u'),
    ]);

    expect(results.map((r) => [r.streamId, r.ok ? r.version : r.reason])).toEqual([
      ['s', 2],
      ['t', 'conflict'],
      ['u', 1],
    ]);
  });

  it('moves the inbox with the retry that completes the batch, or not at all', async () => {
    const where = { group: 'g', topic: 't', partition: 0, epoch: 1 };
    await under.store.beginInboxEpoch('g', 't', 0, '0');
    await under.store.append([opens('s')]);
    await blockFor('s', 3);
    await under.store.append([{ streamId: 's', expected: 1, events: [event()] }, opens('u')], {
      ...where,
      from: '0',
      to: '5',
    });
    expect(await under.store.inboxOffset('g', 't', 0)).toEqual({ epoch: 1, offset: '5' });

    await blockFor('s', 3);
    await under.store.append(
      [
        { streamId: 's', expected: 2, events: [event()] },
        { streamId: 'u', expected: 9, events: [event()] },
      ],
      { ...where, from: '5', to: '6' },
    );
    expect(await under.store.inboxOffset('g', 't', 0)).toEqual({ epoch: 1, offset: '5' });
    expect((await under.store.loadMany(['s'])).get('s')).toHaveLength(3);
  });
});

describe('readers beside writers', () => {
  it('see every event exactly once and every stream in order, whoever takes its transaction id early', async () => {
    const streams = ['a', 'b', 'c', 'd'];
    const step = fc.record({
      streams: fc.subarray(streams, { minLength: 1 }),
      count: fc.integer({ min: 1, max: 3 }),
      early: fc.boolean(),
    });
    const plan = fc.array(fc.array(step, { minLength: 3, maxLength: 8 }), { minLength: 4, maxLength: 4 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(plan, fc.integer({ min: 1, max: 7 }), async (writers, page) => {
        const prefix = `${++run}:`;
        const start = (await readAll(under)).at(-1)?.cursor ?? BEGINNING;
        let written = 0;
        let writing = true;

        const write = async (steps: (typeof writers)[number]): Promise<void> => {
          for (const { streams: names, count, early } of steps) {
            const heads = await under.store.loadMany(names.map((n) => prefix + n));
            const client = early ? await begin() : undefined;
            if (client) await client.query('select pg_current_xact_id()');
            const appends = names.map((name) => ({
              streamId: prefix + name,
              expected: heads.get(prefix + name)?.length ?? 0,
              events: Array.from({ length: count }, () => event()),
            }));
            const ok = client
              ? (await appendIn(client, ...appends)).filter((outcome) => outcome === 'ok').length
              : (await under.store.append(appends)).filter((r) => r.ok).length;
            if (client) await commit(client);
            written += ok * count;
          }
        };
        const read = async (): Promise<RecordedEvent[]> => {
          const seen: RecordedEvent[] = [];
          for (let cursor = start; ;) {
            const last = !writing;
            if (last) await under.settled();
            const { events, next } = await under.store.readAll(cursor, page);
            seen.push(...events);
            cursor = next;
            if (last && events.length === 0) return seen;
          }
        };

        const reader = read();
        await Promise.all(writers.map(write));
        writing = false;
        const seen = await reader;

        expect(new Set(seen.map((e) => e.eventId)).size).toBe(written);
        expect(seen).toHaveLength(written);
        for (const name of streams) {
          const versions = seen.filter((e) => e.streamId === prefix + name).map((e) => e.version);
          expect(versions).toEqual(versions.map((_, i) => i + 1));
        }
        for (let i = 1; i < seen.length; i++)
          expect(compareCursors(seen[i - 1]!.cursor, seen[i]!.cursor)).toBeLessThan(0);
      }),
      { numRuns: 12 },
    );
  });
});

describe('many batches at once', () => {
  it('overlap and are shuffled without a deadlock, and every version is decided once', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `s:${i}`);
    await under.store.append(
      names.map((streamId) => ({
        ...opens(streamId),
        effects: [{ op: 'put', kind: 'Work', key: 'k', lane: 'l', tenant: 't', priority: 0, afterMs: 0, data: {} }],
      })),
    );
    const held = await under.effects.claim({ lane: 'l', kinds: ['Work'], max: 100, claimId: 'w', leaseMs: 1_000 });
    const versions = new Map(names.map((name) => [name, 1]));
    let won = 0;

    const shuffled = (seed: number): string[] =>
      [...names].sort((a, b) => ((a.charCodeAt(2) * seed) % 7) - ((b.charCodeAt(2) * seed) % 7));
    const batch = async (seed: number): Promise<void> => {
      const results = await under.store.append(
        shuffled(seed)
          .slice(0, 8)
          .map((streamId) => ({
            streamId,
            expected: versions.get(streamId)!,
            events: [event()],
            effects: [
              {
                op: 'put',
                kind: 'Other',
                key: String(seed),
                lane: 'l',
                tenant: 't',
                priority: 0,
                afterMs: 0,
                data: {},
              },
            ],
          })),
      );
      for (const r of results) {
        if (!r.ok) continue;
        won++;
        versions.set(r.streamId, Math.max(versions.get(r.streamId)!, r.version));
      }
    };
    for (let round = 0; round < 20; round++) {
      await Promise.all([
        ...Array.from({ length: 6 }, (_, i) => batch(round * 6 + i + 1)),
        // Workers lock the same rows, in whatever order they hold them.
        under.effects.confirmClaims([...held].reverse(), 1_000),
      ]);
    }

    const { rows } = await under.owner.query<{ deadlocks: string }>(
      `select deadlocks from pg_stat_database where datname = current_database()`,
    );
    expect(rows[0]!.deadlocks).toBe('0');
    const loaded = await under.store.loadMany(names);
    expect([...loaded.values()].reduce((sum, events) => sum + events.length, 0)).toBe(names.length + won);
    for (const [name, events] of loaded) expect(events).toHaveLength(versions.get(name)!);
  });
});
