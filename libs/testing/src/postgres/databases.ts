import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { repositoryFolder } from '../repository.ts';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Removes it. Sessions that are about to end may do so; whatever is left of them after two seconds is ended. */
  drop(): Promise<void>;
}

/** A database with a name of its own, cloned from `template` when given, on the server that `adminUrl` points to. */
export async function createDatabase(
  adminUrl: string,
  options: { name?: string; template?: string } = {},
): Promise<TestDatabase> {
  const name = options.name ?? `test_${randomBytes(8).toString('hex')}`;
  const from = options.template === undefined ? '' : ` template ${quoted(options.template)}`;
  await administer(adminUrl, `create database ${quoted(name)}${from}`);
  return {
    name,
    url: withDatabase(adminUrl, name),
    drop: async () => {
      // A pool has said good-bye before its sessions are gone, and one that is ended meanwhile reports an error that nobody listens for any more.
      await administer(adminUrl, (client) => untilLeft(client, name));
      await administer(adminUrl, `drop database if exists ${quoted(name)} with (force)`);
    },
  };
}

/** A database with today's schema, to be cloned; nothing connects to it afterwards. */
export async function createMigratedTemplate(adminUrl: string): Promise<TestDatabase> {
  const database = await createDatabase(adminUrl, { name: `template_${randomBytes(8).toString('hex')}` });
  try {
    await migrate(database.url);
    return database;
  } catch (error) {
    await database.drop();
    throw error;
  }
}

/** Brings a database to today's schema by the project's own migrations; leaves it empty in a checkout that has none. */
export async function migrate(url: string): Promise<void> {
  const entry = join(repositoryFolder, 'migrations', 'run.ts');
  if (!existsSync(entry)) return;
  const migrations = (await import(pathToFileURL(entry).href)) as { migrate(databaseUrl: string): Promise<void> };
  await migrations.migrate(url);
}

async function untilLeft(client: pg.Client, database: string): Promise<void> {
  for (let tries = 0; tries < 40; tries++) {
    const { rowCount } = await client.query('select from pg_stat_activity where datname = $1', [database]);
    if (rowCount === 0) return;
    await setTimeout(50);
  }
}

async function administer(adminUrl: string, work: string | ((client: pg.Client) => Promise<void>)): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await (typeof work === 'string' ? client.query(work) : work(client));
  } finally {
    await client.end();
  }
}

function withDatabase(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function quoted(identifier: string): string {
  return pg.escapeIdentifier(identifier);
}
