import { chmod, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeKeyFiles } from '../../control-plane/src/keys/make-key-files.ts';

/** Where one run keeps its things. */
export interface DataFolder {
  readonly path: string;
  readonly postgres: string;
  readonly simulator: string;
  readonly demoClusterFile: string | undefined;
  readonly kubeconfigFile: string;
  /** 32 bytes, base64; a private EC P-256 JWK; a private Ed25519 JWK. Outside PostgreSQL's folder, mode 0600. */
  readonly masterKeyFile: string;
  readonly tokenKeyFile: string;
  readonly auditKeyFile: string;
  readonly logFile: string;
  /** Gives the folder back; a temporary one is removed, unless it is kept to find out what went wrong. */
  release(options?: { keep: boolean }): Promise<void>;
}

/** Opens (and, where needed, makes) the folder. One run at a time may hold it. */
export async function openDataFolder(wanted: string | undefined): Promise<DataFolder> {
  const path = wanted === undefined ? await mkdtemp(join(tmpdir(), 'eci-fleet-')) : resolve(wanted);
  // PostgreSQL runs as another user when we are root, and must pass through; what is secret has modes of its own.
  await mkdir(path, { recursive: true, mode: 0o755 });
  if (wanted === undefined) await chmod(path, 0o755);
  const unlock = await lock(join(path, 'in-use'));
  const keys = await makeKeyFiles(join(path, 'keys'));
  return {
    path,
    postgres: join(path, 'postgres'),
    simulator: join(path, 'simulator'),
    demoClusterFile: wanted === undefined ? undefined : join(path, 'demo-cluster.json'),
    kubeconfigFile: join(path, 'demo.kubeconfig'),
    ...keys,
    logFile: join(path, 'eci-fleet.log'),
    release: async ({ keep } = { keep: false }) => {
      await unlock();
      if (wanted === undefined && !keep) await rm(path, { recursive: true, force: true });
    },
  };
}

async function lock(file: string): Promise<() => Promise<void>> {
  for (let tries = 0; tries < 2; tries++) {
    try {
      const handle = await open(file, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      return () => rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const holder = Number(await readFile(file, 'utf8').catch(() => ''));
      if (holder > 0 && holder !== process.pid && isAlive(holder)) {
        throw new Error(`the data folder is in use by process ${holder}: stop that one, or choose another --data-dir`);
      }
      // Its holder was killed.
      await rm(file, { force: true });
    }
  }
  throw new Error(`${file} cannot be taken: another start was faster`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
