import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmptyDatabase, type TestDatabase } from '#libs/testing';
import { migrate, UnfitDatabase } from './run.ts';

let database: TestDatabase;
beforeEach(async () => void (database = await createEmptyDatabase()));
afterEach(() => database.drop());

async function rows(sql: string, url = database.url): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Runs the command line from its source, as `npm run migrate` runs it built. */
function run(
  environment: NodeJS.ProcessEnv,
  ...args: string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', main, ...args], {
    env: { PATH: process.env['PATH'], ...environment },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

describe('migrations', () => {
  it('run once each, in the order of their numbers, however many processes start at once', async () => {
    await Promise.all([1, 2, 3].map(() => migrate(database.url)));
    await migrate(database.url);

    const files = readdirSync(new URL('./sql/', import.meta.url)).filter((file) => file.endsWith('.sql'));
    const ran = await rows('select name from es.migration order by id');
    expect(ran.map((row) => String(row['name']).replace(/_\d{13}$/, '.sql'))).toEqual(files.sort());
  });

  it('let the application role execute nothing that is for tests or owners', async () => {
    await migrate(database.url);

    const allowed = await rows(
      `select p.proname as name from pg_proc p where p.pronamespace = 'es'::regnamespace
          and has_function_privilege('eci_fleet_app', p.oid, 'execute') order by 1`,
    );
    const names = allowed.map((row) => row['name']);
    expect(names).toContain('append');
    for (const closed of [
      'stop_clock',
      'set_clock_offset',
      'ensure_partition',
      'move_head',
      'append_beside',
      'park_at',
      'open_streams',
    ]) {
      expect(names).not.toContain(closed);
    }
    const writable = await rows(
      `select c.relname as name from pg_class c where c.relnamespace = 'es'::regnamespace and c.relkind in ('r', 'p')
          and has_table_privilege('eci_fleet_app', c.oid, 'insert, update, delete, truncate')`,
    );
    expect(writable).toEqual([]);
  });

  it('refuse a database that cannot hold every text', async () => {
    const name = `${database.name}_ascii`;
    await rows(`create database "${name}" template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'`);
    const url = new URL(database.url);
    url.pathname = `/${name}`;

    await expect(migrate(url.href)).rejects.toThrow(UnfitDatabase);
    await rows(`drop database "${name}"`);
  });
});

describe('npm run migrate', () => {
  it('explains itself, says in one line what is wrong and ends with 2', async () => {
    expect(await run({}, '--help')).toMatchObject({ code: 0, out: expect.stringContaining('DATABASE_URL') as string });
    const wrong = await run({}, '--fast');
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(/^migrate: [^\n]*--fast[^\n]*\n$/);
    expect(await run({})).toMatchObject({
      code: 2,
      err: expect.stringContaining('DATABASE_URL: is missing') as string,
    });
    expect(await run({ DATABASE_URL: 'mysql://x' })).toMatchObject({
      code: 2,
      err: expect.stringContaining('postgres://') as string,
    });
  });

  it('migrates, and says in one line when it cannot', async () => {
    expect(await run({ DATABASE_URL: database.url })).toEqual({ code: 0, out: 'database is up to date\n', err: '' });

    const away = new URL(database.url);
    away.pathname = '/not_there';
    const failed = await run({ DATABASE_URL: away.href });
    expect(failed.code).toBe(1);
    expect(failed.err).toBe('migrate: database "not_there" does not exist\n');
  });
});
