import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresBinaries } from './binaries.ts';

/**
 * Makes a data folder unless it is one already. Superuser `postgres`; its password is returned and kept in `<dataDir>.password`, readable by
 * its owner only.
 */
export async function initialiseDataFolder(
  dataDir: string,
  { initdb, user }: Pick<PostgresBinaries, 'initdb' | 'user'>,
): Promise<string> {
  const passwordFile = `${dataDir}.password`;
  if (existsSync(join(dataDir, 'PG_VERSION'))) return (await readFile(passwordFile, 'utf8')).trim();
  const password = randomBytes(12).toString('hex');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user !== undefined) {
    await chown(dataDir, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  const args = [
    `--pgdata=${dataDir}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=password',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ];
  try {
    await promisify(execFile)(initdb, args, {
      cwd: dataDir,
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      ...(user ?? {}),
    });
  } catch (error) {
    await rm(passwordFile, { force: true });
    throw new Error(`PostgreSQL's data folder ${dataDir} cannot be made: ${(error as { stderr?: string }).stderr}`, {
      cause: error,
    });
  }
  return password;
}
