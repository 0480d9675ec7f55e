import type { Pool, PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { postgresUnderTest } from '../spec/contract/postgres.ts';
import { createPool } from './pool.ts';

it('outlives a connection that dies between two statements, whoever uses it', async () => {
  const { pool, owner, close } = await postgresUnderTest(await createTestDatabase());
  try {
    // given a connection that is in use, and has nothing to say just now
    const client = await pool.connect();
    const ended = new Promise((resolve) => client.once('end', () => resolve(undefined)));
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');

    // when the server ends its session: without a listener that would end this process
    await owner.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    await ended;

    // then only who uses it fails
    await expect(client.query('select 1')).rejects.toThrow();
    client.release(true);
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await close();
  }
});

type Asks = Pick<PoolClient, 'query'>;
const failWith = (by: Asks, code: string): Promise<unknown> =>
  by.query(`do $$ begin raise exception 'played' using errcode = '${code}'; end $$`);
const pidOf = async (by: Asks): Promise<number> =>
  (await by.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;

/** Every way in which the product asks a pool. */
const WAYS: readonly [string, (pool: Pool, code: string) => Promise<unknown>][] = [
  ['one statement', failWith],
  [
    'a client that is given back without a word',
    async (pool, code) => {
      const client = await pool.connect();
      await failWith(client, code).catch(() => undefined);
      client.release();
    },
  ],
  [
    'a transaction that is rolled back',
    async (pool, code) => {
      const client = await pool.connect();
      await client.query('begin');
      await failWith(client, code).catch(() => undefined);
      await client.query('rollback').catch(() => undefined);
      client.release();
    },
  ],
];

describe('a connection', () => {
  const world = async (): Promise<{ pool: Pool; close: () => Promise<void> }> => {
    const database = await createTestDatabase();
    const pool = createPool(database.url, { max: 1 });
    return {
      pool,
      close: async () => {
        await pool.end();
        await database.drop();
      },
    };
  };

  it.each(WAYS)('is thrown away after the last words of its server: %s', async (_, fail) => {
    const { pool, close } = await world();
    try {
      for (const code of [
        '25006',
        '25P02',
        '25P04',
        '08006',
        '08P01',
        '57P01',
        '57P02',
        '57P03',
        '57P05',
        '53300',
        '58030',
      ]) {
        const before = await pidOf(pool);
        await fail(pool, code).catch(() => undefined);
        expect(await pidOf(pool), code).not.toBe(before);
      }
    } finally {
      await close();
    }
  });

  // A single statement that fails costs its connection anyway: pg's pool does so.
  it.each(WAYS.slice(1))('is kept after an answer about the statement: %s', async (_, fail) => {
    const { pool, close } = await world();
    try {
      const before = await pidOf(pool);
      for (const code of ['23505', '22P02', '40001', '40P01', '42P01', '57014', '53100', '54000', 'P0001'])
        await fail(pool, code).catch(() => undefined);
      expect(await pidOf(pool)).toBe(before);
    } finally {
      await close();
    }
  });

  it('of a server that was demoted is left with the first write that it refuses', async () => {
    const { pool, close } = await world();
    try {
      // given a hot connection whose server takes no writes any more, while new connections reach one that does
      await pool.query('set session characteristics as transaction read only');
      const write = async (): Promise<void> => {
        const client = await pool.connect();
        try {
          await client.query(`select es.configure_lane('a lane', 1, 1)`);
        } finally {
          client.release();
        }
      };
      await expect(write()).rejects.toMatchObject({ code: '25006' });

      await write();
    } finally {
      await close();
    }
  });

  it('lives five minutes at most, so that one that only reads leaves a demoted server as well', async () => {
    const { pool, close } = await world();
    try {
      expect(pool.options.maxLifetimeSeconds).toBe(300);
    } finally {
      await close();
    }
  });

  it('whose statement was given up is not handed out while that statement runs', async () => {
    const { pool, close } = await world();
    try {
      const before = await pidOf(pool);
      await expect(pool.query({ text: 'select pg_sleep(30)', query_timeout: 50 } as never)).rejects.toThrow(
        'Query read timeout',
      );
      expect(await pidOf(pool)).not.toBe(before);
    } finally {
      await close();
    }
  });
});
