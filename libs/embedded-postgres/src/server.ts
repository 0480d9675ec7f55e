import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { EmbeddedPostgresUnavailable, othersCanPass, postgresBinaries } from './binaries.ts';
import { initialiseDataFolder } from './data-folder.ts';

interface EmbeddedPostgres {
  /** `postgres://…` of the database that was asked for, as superuser. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a durable server on `folder` (made when missing) with a database of that name. Waits at most 30 s for its first answer. */
export async function startEmbeddedPostgres(options: {
  folder: string;
  database: string;
  port?: number;
}): Promise<EmbeddedPostgres> {
  const { folder, database } = options;
  await mkdir(folder, { recursive: true });
  const programs = await postgresBinaries(folder);
  if (programs.user && !(await othersCanPass(folder))) {
    throw new EmbeddedPostgresUnavailable(
      `as root, PostgreSQL runs as the user postgres, which cannot enter ${folder}: choose a folder that others may pass through, run as another user, or set DATABASE_URL`,
    );
  }
  const dataDir = join(folder, 'data');
  const password = await initialiseDataFolder(dataDir, programs);
  await endLeftover(dataDir);
  const port = options.port ?? (await freePort());
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: 200 };
  const args = ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const log = createWriteStream(join(folder, 'postgres.log'), { flags: 'a' });
  const child = spawn(programs.postgres, args, {
    cwd: dataDir,
    env: { LC_ALL: 'C' },
    // Ctrl-C in a terminal reaches the whole process group; the server must outlive those who still write to it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(programs.user ?? {}),
  });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const urlOf = (name: string): string => `postgres://postgres:${password}@127.0.0.1:${port}/${name}`;
  try {
    await untilItAnswers(child, urlOf('postgres'), join(dirname(dataDir), 'postgres.log'));
    await createDatabase(urlOf('postgres'), database);
  } catch (error) {
    await ended(child, 'SIGINT');
    throw error;
  }
  return { url: urlOf(database), stop: () => ended(child, 'SIGINT') };
}

/** A server whose starter was killed still holds the folder; ask it to end first (fast shutdown). */
async function endLeftover(dataDir: string): Promise<void> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, folder] = text.split('\n');
  if (!pid || folder !== dataDir) return;
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(Number(pid), tries === 0 ? 'SIGINT' : 0);
    } catch {
      return;
    }
    await sleep(100);
  }
  throw new Error(`another PostgreSQL (process ${pid}) still uses ${dataDir}: end it and start again`);
}

async function untilItAnswers(child: ChildProcess, url: string, log: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`PostgreSQL ended at its start; its log: ${log}`);
    try {
      await withClient(url, (client) => client.query('select 1'));
      return;
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`PostgreSQL did not answer within 30 s; its log: ${log}`, { cause: error });
      await sleep(50);
    }
  }
}

async function createDatabase(url: string, name: string): Promise<void> {
  await withClient(url, async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`);
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  await exit;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
