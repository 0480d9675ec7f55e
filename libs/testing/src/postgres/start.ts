import { chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../processes/free-port.ts';
import { startProcess, type TestProcess } from '../processes/process.ts';
import { temporaryFolder } from '../processes/temporary-folder.ts';
import { postgresBinaries } from './binaries.ts';
import { initialiseDataFolder } from '#libs/embedded-postgres';

interface PostgresOptions {
  /** Kept between starts when given; else a temporary folder that `stop` removes. */
  readonly dataDir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** PEM files: the server speaks TLS with them, and in clear as well. */
  readonly tls?: CertificateFiles;
  /** Further settings of the server, by name. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface PostgresRig {
  /** `postgres://…` of the maintenance database, as superuser. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** To break it: `kill9`, `pause`, `resume`, `stop`, `start`. Same port and data at the next start. */
  readonly process: TestProcess;
  /** URL of another database of this server. */
  urlOf(database: string): string;
  /** Shows this certificate to new connections, soon. Only with `tls`. */
  renewCertificate(files: CertificateFiles): Promise<void>;
  /** Ends it and removes what it made; its log stays when `keepLogs`. */
  stop(options?: { keepLogs?: boolean }): Promise<void>;
}

/**
 * A PostgreSQL server of its own on loopback, in a second. `fsync` is off: data survives `kill -9` of the server, not of the machine.
 * Superuser `postgres` with a password that is in `url`; a given `dataDir` keeps it, readable by its owner only.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresRig> {
  const folder = temporaryFolder('postgres');
  const logs = temporaryFolder('postgres-logs');
  try {
    const { initdb, postgres, user } = await postgresBinaries(folder.path);
    const dataDir = options.dataDir ?? join(folder.path, 'data');
    const port = options.port ?? (await freePort());
    const password = await initialiseDataFolder(dataDir, { initdb, user });
    // The server wants its key to be its own, and nobody else's.
    const keep = async ({ certFile, keyFile }: CertificateFiles): Promise<void> => {
      for (const [from, to] of [
        [certFile, 'server.crt'],
        [keyFile, 'server.key'],
      ] as const) {
        const path = join(dataDir, to);
        await writeFile(path, await readFile(from), { mode: 0o600 });
        if (user !== undefined) await chown(path, user.uid, user.gid);
      }
    };
    if (options.tls !== undefined) await keep(options.tls);
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      // No socket file: nobody connects by it, and /tmp is not ours to litter.
      unix_socket_directories: '',
      fsync: 'off',
      full_page_writes: 'off',
      max_connections: 300,
      ...(options.tls === undefined ? {} : { ssl: 'on' }),
      ...options.settings,
    };
    const urlOf = (database: string): string => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
    const server = await startProcess({
      name: 'postgres',
      command: postgres,
      args: ['-D', dataDir, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      env: { LC_ALL: 'C' },
      cwd: dataDir,
      // Fast shutdown: open sessions are ended, the data is written out.
      stopSignal: 'SIGINT',
      logFolder: logs.path,
      ready: () => answers(urlOf('postgres')),
      readyDeadlineMs: 60_000,
      ...(user ?? {}),
    });
    return {
      url: urlOf('postgres'),
      port,
      dataDir,
      process: server,
      urlOf,
      async renewCertificate(files) {
        await keep(files);
        await answers(urlOf('postgres'), 'select pg_reload_conf()');
      },
      async stop({ keepLogs = false } = {}) {
        // A throwaway server needs no last checkpoint.
        if (options.dataDir === undefined) await server.kill9();
        else await server.stop();
        await folder.remove();
        if (keepLogs) logs.keep();
        else await logs.remove();
      },
    };
  } catch (error) {
    logs.keep();
    await folder.remove();
    throw error;
  }
}

async function answers(url: string, sql = 'select 1'): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(sql);
    return true;
  } finally {
    await client.end().catch(() => undefined);
  }
}
