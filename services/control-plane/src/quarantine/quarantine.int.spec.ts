import { createHash } from 'node:crypto';
import { createPool } from '#libs/event-store';
import { createTestDatabase } from '#libs/testing';
import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { QuarantinedMessage } from '../intake/ports.ts';
import { PostgresInventories } from '../intake/postgres-inventories.ts';
import { QuarantineReader } from './list-quarantine.ts';
import { KEPT, Quarantine } from './quarantine.ts';

const ROWS = 20;
const DAY_MS = 86_400_000;

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let pool: pg.Pool;
let now = Date.parse('2026-01-01T00:00:00Z');
const clock = { now: () => now } as ConstructorParameters<typeof Quarantine>[0]['clock'];

beforeAll(async () => {
  database = await createTestDatabase();
  pool = createPool(database.url, { max: 2 });
});
afterEach(() => pool.query('delete from fleet.quarantine'));
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const quarantine = (): Quarantine => new Quarantine({ pool, clock, limits: { retentionMs: 14 * DAY_MS, rows: ROWS } });
const reader = (): QuarantineReader => new QuarantineReader(pool);
const recheckOf = (clusterId: string, since = 0) =>
  new PostgresInventories({ pool, clock }).quarantined(clusterId, since);

let offset = 0;
function message(over: Partial<QuarantinedMessage> = {}): QuarantinedMessage {
  offset += 1;
  return {
    topic: 'eci-fleet.intents.v1',
    epoch: 1,
    partition: 0,
    offset: String(offset),
    key: 'k1/u1',
    reason: 'the clear part breaks its schema',
    sender: { proven: true, clusterId: 'k1' },
    original: Buffer.from(`bytes ${offset}`),
    headers: {},
    ...over,
  };
}

/** As an agent sends the same pod again: another number, time and session, fresh tokens, sealed anew. */
const sentAgain = (body: object): Partial<QuarantinedMessage> => ({
  clear: JSON.stringify({
    clusterId: 'k1',
    agentEpoch: offset,
    sequence: offset * 7,
    sentAt: new Date(now + offset).toISOString(),
    body: { ...body, resolved: { tokens: [{ path: 'api/token', issuedAt: String(offset) }] } },
  }),
});

describe('what rests in the quarantine', () => {
  it('is cut, with the length and the digest of the whole', async () => {
    const original = Buffer.alloc(900_000, 'x');
    await quarantine().add([message({ original, clear: 'y'.repeat(800_000), key: `k1/${'z'.repeat(100_000)}` })]);
    const [item] = (await reader().page({ limit: 10 })).items;
    expect(item).toMatchObject({ bytes: 900_000, seen: 1 });
    expect(await reader().get(item!.id)).toMatchObject({
      original: original.subarray(0, KEPT.original).toString('base64'),
      digest: createHash('sha256').update(original).digest('hex'),
      clear: 'y'.repeat(KEPT.clear),
    });
  });

  it('stays within bounds when what came first comes again beside what is new', async () => {
    const unproven = (n: number) => message({ original: Buffer.from(`again ${n}`), sender: { proven: false } });
    for (let n = 0; n < ROWS; n++) await quarantine().add([unproven(n)]);
    await quarantine().add([unproven(0), unproven(1), unproven(ROWS)]);
    const { rows } = await pool.query('select from fleet.quarantine where not proven');
    expect(rows.length).toBeLessThanOrEqual(ROWS);
  });

  it('stays within bounds, whatever comes and from whom', async () => {
    const text = fc.oneof(fc.string({ maxLength: 40 }), fc.constant('\u0000\ud800'), fc.constant('ü'.repeat(50_000)));
    const any = fc.record({
      key: text,
      reason: text,
      clear: fc.option(text, { nil: undefined }),
      clusterId: fc.constantFrom('k1', 'k2', ''),
      proven: fc.boolean(),
      original: fc.option(fc.uint8Array({ maxLength: 40_000 }), { nil: null }),
      headers: fc.dictionary(text, text, { maxKeys: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { maxLength: 3 * ROWS }), async (all) => {
        await quarantine().add(
          all.map(({ clusterId, proven, clear, ...over }) =>
            message({
              ...over,
              ...(clear !== undefined && { clear }),
              sender: proven && clusterId !== '' ? { proven, clusterId } : { proven: false, clusterId },
            }),
          ),
        );
        const { rows } = await pool.query<{ rows: number; most: number }>(
          `select count(*)::integer as rows, max(octet_length(q::text)) as most from fleet.quarantine q
            group by case when proven then cluster_id end`,
        );
        for (const bucket of rows) {
          expect(bucket.rows).toBeLessThanOrEqual(ROWS);
          // Bytes are written as two digits each, and a character may have four bytes.
          expect(bucket.most).toBeLessThan(
            2 * KEPT.original + 4 * (KEPT.clear + KEPT.headers + KEPT.key + KEPT.reason) + 4_096,
          );
        }
      }),
      { numRuns: 30 },
    );
  });

  it('gives way to newer messages of its own sender only', async () => {
    await quarantine().add([message({ key: 'k2/u1', sender: { proven: true, clusterId: 'k2' } })]);
    await quarantine().add([message({ key: 'k1/first' })]);
    for (let i = 0; i < 3; i++)
      await quarantine().add(Array.from({ length: ROWS }, (_, n) => message({ key: `k1/u${i}-${n}` })));
    const k1 = (await reader().page({ limit: 100, cluster: 'k1' })).items;
    expect(k1.map(({ key }) => key)).toEqual(Array.from({ length: ROWS }, (_, n) => `k1/u2-${ROWS - 1 - n}`));
    expect((await reader().page({ limit: 100, cluster: 'k2' })).items).toHaveLength(1);
  });

  it('is forgotten by its age, and by number where a writer kept no bound', async () => {
    const again = (): QuarantinedMessage => message({ key: 'k1/seen again', ...sentAgain({ kind: 'StopPod' }) });
    await quarantine().add([message({ key: 'k1/old' }), again()]);
    now += 10 * DAY_MS;
    await quarantine().add([again()]);
    await pool.query(
      `insert into fleet.quarantine (topic, log_epoch, partition, message_offset, message_key, cluster_id, reason, headers, quarantined_at, last_seen_at)
       select 't', 1, 0, n, 'k', 'k1', 'of an older version', '{}', $1, $1 from generate_series(1, $2::integer) n`,
      [new Date(now), 3 * ROWS],
    );
    now += 5 * DAY_MS;
    expect(await quarantine().forgetOld()).toBe(1 + 2 * ROWS);
    const { items } = await reader().page({ limit: 100 });
    expect(items.filter(({ key }) => key === 'k1/seen again')).toHaveLength(1);
    expect(items).toHaveLength(ROWS + 1);
  });
});

describe('whatever a batch holds', () => {
  it('is one statement: new messages, some that were here, full buckets of many senders', async () => {
    // given buckets that are full
    const one = quarantine();
    const of = (clusterId: string, count: number): QuarantinedMessage[] =>
      Array.from({ length: count }, (_, n) =>
        message({ key: `${clusterId}/u${n}`, sender: { proven: true, clusterId } }),
      );
    const known = [...of('k1', ROWS), ...of('k2', ROWS)];
    await one.add(known);
    let statements = 0;
    const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
    pool.query = ((...args: unknown[]) => ((statements += 1), query(...args))) as typeof pool.query;
    try {
      // when both come again beside news
      const again = [known[ROWS - 1]!, known[2 * ROWS - 1]!].map((each) => ({
        ...each,
        offset: String((offset += 1)),
      }));
      const fresh = [...of('k1', 3), message({ sender: { proven: false }, key: 'nobody' })];
      expect(await one.add([...again, ...fresh])).toEqual(fresh);
    } finally {
      pool.query = query as typeof pool.query;
    }

    // then
    expect(statements).toBe(1);
    const { items } = await reader().page({ limit: 100 });
    expect(items.filter(({ clusterId }) => clusterId === 'k1')).toHaveLength(ROWS);
    expect(items.filter(({ clusterId }) => clusterId === 'k2')).toHaveLength(ROWS);
    expect(items.filter(({ seen }) => seen === 2)).toHaveLength(2);
  });
});

describe('a message that comes again', () => {
  const body = { kind: 'RunPod', pod: { uid: 'u1' } };

  it('counts in its row, from the first time to the last', async () => {
    for (let i = 0; i < 5; i++) {
      const news = await quarantine().add([message(sentAgain(body))]);
      expect(news).toHaveLength(i === 0 ? 1 : 0);
      now += 60_000;
    }
    const { items } = await reader().page({ limit: 10 });
    expect(items).toHaveLength(1);
    expect(items[0]!.seen).toBe(5);
    expect(Date.parse(items[0]!.lastSeenAt) - Date.parse(items[0]!.quarantinedAt)).toBe(240_000);
  });

  it('is another one for another reason, pod, content or sender', async () => {
    const others: Partial<QuarantinedMessage>[] = [
      {},
      { reason: 'another' },
      { key: 'k1/u2' },
      sentAgain({ kind: 'RunPod', pod: { uid: 'u1', name: 'renamed' } }),
      { sender: { proven: false, clusterId: 'k1' } },
    ];
    for (const over of others) await quarantine().add([message({ ...sentAgain(body), ...over })]);
    expect((await reader().page({ limit: 10 })).items).toHaveLength(others.length);
  });

  it('counts once for each place, however often its batch is handled, and is new until that is done', async () => {
    const batch = [message(sentAgain(body)), message(sentAgain(body)), message({ key: 'k1/u2' })];
    for (let i = 0; i < 3; i++) expect(await quarantine().add(batch)).toEqual([batch[0], batch[2]]);
    expect((await reader().page({ limit: 10 })).items.map(({ seen }) => seen)).toEqual([1, 2]);
  });

  it('that nests deeper than anything can be written is kept all the same', async () => {
    const clear = `{"body":{"a":${'['.repeat(300_000)}${']'.repeat(300_000)}}}`;
    expect(await quarantine().add([message({ clear })])).toHaveLength(1);
  });
});

describe('a sender whom no seal proves', () => {
  const stranger = { sender: { proven: false, clusterId: 'victim' }, key: 'victim/u1' } as const;

  it('is not shown as the cluster that it names, nor makes that cluster look again', async () => {
    await quarantine().add([message(stranger)]);
    await quarantine().add([message({ sender: { proven: true, clusterId: 'victim' }, key: 'victim/u2' })]);
    expect((await reader().page({ limit: 10, cluster: 'victim' })).items.map(({ key }) => key)).toEqual(['victim/u2']);
    const [item, ...more] = (await reader().page({ limit: 10, sender: 'unproven' })).items;
    expect(more).toEqual([]);
    expect(item).toMatchObject({ claimedClusterId: 'victim', key: 'victim/u1' });
    expect(item).not.toHaveProperty('clusterId');
    expect(await recheckOf('victim')).toEqual(new Set(['u2']));
  });

  it('shares one bucket with all others, whatever ids they claim', async () => {
    for (let i = 0; i < 3 * ROWS; i++)
      await quarantine().add([message({ sender: { proven: false, clusterId: `c${i}` }, key: `c${i}/u` })]);
    expect((await reader().page({ limit: 100 })).items).toHaveLength(ROWS);
  });
});

describe('what a cluster is asked again', () => {
  it('is what came since, also when it came before', async () => {
    await quarantine().add([message({ key: 'k1/u1', ...sentAgain({ uid: 'u1' }) }), message({ key: 'k1/u2' })]);
    now += 60_000;
    await quarantine().add([message({ key: 'k1/u1', ...sentAgain({ uid: 'u1' }) })]);
    expect(await recheckOf('k1', now)).toEqual(new Set(['u1']));
  });
});
