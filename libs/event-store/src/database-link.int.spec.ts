import { copyFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Given } from '#libs/configuration';
import { eventually, newTls, startPostgres, temporaryFolder, type PostgresRig, type TestTls } from '#libs/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseSettings } from './database-link.ts';
import { createPool } from './pool.ts';
import { isTrouble } from './trouble.ts';
import { WatchedPool } from './watched-pool.ts';

let server: PostgresRig;
let tls: TestTls;
const folder = temporaryFolder('database-link').path;
const caFile = join(folder, 'ca.crt');

beforeAll(async () => {
  tls = await newTls();
  server = await startPostgres({ tls: tls.tls });
  await copyFile(tls.caFile, caFile);
});

afterAll(async () => {
  await server?.stop();
});

const urlOf = (more: Record<string, string> = {}): string => {
  const given = new Given({ DATABASE_URL: server.url, ...more });
  const settings = databaseSettings(given);
  expect(given.faults).toEqual([]);
  return settings!.databaseUrl;
};

/** Whether a new connection is encrypted; rejects when there is none. */
async function encrypted(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return rows[0]!.ssl;
  } finally {
    await client.end();
  }
}

describe('PostgreSQL with a CA', () => {
  it('is spoken to over TLS, and believed by that CA alone', async () => {
    expect(await encrypted(urlOf({ DATABASE_CA_FILE: caFile }))).toBe(true);
    expect(await encrypted(urlOf())).toBe(false);
    await expect(encrypted(urlOf({ DATABASE_CA_FILE: (await newTls()).caFile }))).rejects.toThrow();
    // And under its own name alone.
    const byName = new URL(urlOf({ DATABASE_CA_FILE: caFile }));
    byName.hostname = 'localhost';
    await expect(encrypted(byName.href)).rejects.toThrow(/altnames|ECONNREFUSED/);
  });

  it('is believed by the CA that is in the file when a pool connects', async () => {
    // given a pool that keeps no connection, and a server whose certificate comes from another CA now
    const pool = new WatchedPool({
      connectionString: urlOf({ DATABASE_CA_FILE: caFile }),
      max: 1,
      idleTimeoutMillis: 1,
    });
    const ask = async (): Promise<boolean> => {
      const client = await pool.connect();
      client.release(true);
      return true;
    };
    try {
      await ask();
      const next = await newTls();
      await server.renewCertificate(next.tls);
      await eventually(
        () =>
          ask().then(
            () => false,
            () => true,
          ),
        { what: 'the server shows the next certificate' },
      );

      // when the file holds the other CA, then the next connection goes by it
      await copyFile(next.caFile, `${caFile}.next`);
      await rename(`${caFile}.next`, caFile);
      await ask();
    } finally {
      await pool.end();
      await copyFile(tls.caFile, caFile);
      await server.renewCertificate(tls.tls);
    }
  });

  it('fails for whoever asks, and for nobody else, while a file is away', async () => {
    // given a pool of one connection that is in use, and others who wait for it
    const moving = join(folder, 'moving.crt');
    await copyFile(tls.caFile, moving);
    const pool = new WatchedPool({ connectionString: urlOf({ DATABASE_CA_FILE: moving }), max: 1 });
    pool.on('error', () => {});
    try {
      const client = await pool.connect();
      const waiting = [pool.query('select 1'), pool.query('select 1')];
      const ends = Promise.allSettled(waiting);

      // when the file is away, and the connection is not given on
      await rm(moving);
      client.release(true);

      // then all who waited hear of it as of a database that is away, and nothing else ends
      for (const end of await ends) {
        expect(end.status).toBe('rejected');
        const { reason } = end as PromiseRejectedResult;
        expect(String(reason)).toContain('TLS');
        expect(String(reason)).not.toContain(folder);
        expect(isTrouble(reason)).toBe(true);
      }
      await copyFile(tls.caFile, moving);
      expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    } finally {
      await pool.end();
    }
  });

  it('that shows a wrong certificate is a database that is away, not a bad event', async () => {
    const wrong = createPool(urlOf({ DATABASE_CA_FILE: (await newTls()).caFile }), { max: 1 });
    try {
      const error: unknown = await wrong.query('select 1').catch((reason: unknown) => reason);
      expect(isTrouble(error), String(error)).toBe(true);
    } finally {
      await wrong.end();
    }
  });
});
