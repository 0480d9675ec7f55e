import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { withLock } from './lock.ts';
import type { Progress } from './progress.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where prepared rigs live: outside the repository, so that every checkout shares them. */
export function rigsFolder(env: Environment = process.env): string {
  const own = env['ECI_FLEET_CACHE'];
  if (own) return join(own, 'rigs');
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'eci-fleet', 'rigs');
}

/**
 * `<name>-<version>-<hash>`: the hash covers the declaration's files in any order given, and the machine's kind, so that a change of any
 * builds anew beside the old.
 */
export function rigKey(name: string, version: string, inputs: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  for (const file of Object.keys(inputs).sort()) hash.update(`\0${file}\0${inputs[file]}`);
  return `${name}-${version}-${hash.digest('hex').slice(0, 12)}`;
}

interface CachedBuild {
  /** Folder of the result; its parent is the cache. */
  readonly target: string;
  readonly name: string;
  readonly progress: Progress;
  /** Fills the empty folder it is given; a throw leaves nothing behind. */
  readonly build: (folder: string) => Promise<void>;
}

/** The folder, built if it is missing: in a folder beside it, moved into place by one rename, by one process at a time. */
export async function prepared({ target, name, progress, build }: CachedBuild): Promise<string> {
  if (existsSync(target)) return target;
  const parent = dirname(target);
  await mkdir(parent, { recursive: true });
  await withLock(
    `${target}.lock`,
    async () => {
      if (existsSync(target)) return;
      // What an interrupted build left; nobody else builds this one while we hold the lock.
      const leftOver = `${basename(target)}.building-`;
      for (const entry of await readdir(parent)) {
        if (entry.startsWith(leftOver)) await rm(join(parent, entry), { recursive: true, force: true });
      }
      const folder = join(parent, `${leftOver}${process.pid}`);
      await mkdir(folder);
      try {
        await build(folder);
        await rename(folder, target);
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
    { onWait: ({ pid }) => progress.say(`${name}: another run (process ${pid}) is preparing it, waiting for that`) },
  );
  return target;
}
