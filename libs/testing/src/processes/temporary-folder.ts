import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reaper } from './reaper.ts';

export interface TemporaryFolder {
  readonly path: string;
  /** Removes it with all it holds. */
  remove(): Promise<void>;
  /** Leaves it where it is, for people to read. */
  keep(): void;
}

/** A new folder under the system's temporary folder; removed at the latest when this process ends. */
export function temporaryFolder(name: string): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), `eci-fleet-${name}-`));
  // PostgreSQL run by root belongs to another user, who must be able to pass.
  chmodSync(path, 0o755);
  reaper.watchFolder(path);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      reaper.forgetFolder(path);
    },
    keep: () => reaper.forgetFolder(path),
  };
}
