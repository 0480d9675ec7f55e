import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';

export interface KeyFiles {
  /** For FLEET_MASTER_KEY_FILE. */
  readonly masterKeyFile: string;
  /** For FLEET_TOKEN_KEY_FILE. */
  readonly tokenKeyFile: string;
}

/**
 * Makes the two keys of a control plane in `folder`, mode 0600, unless they are there: a key is never overwritten, for without the master key
 * everything that it sealed is lost.
 */
export async function makeKeyFiles(folder: string): Promise<KeyFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const masterKeyFile = join(folder, 'master-key');
  const tokenKeyFile = join(folder, 'token-key.json');
  await writeOnce(masterKeyFile, randomBytes(32).toString('base64'));
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  await writeOnce(tokenKeyFile, JSON.stringify(await exportJWK(privateKey)));
  return { masterKeyFile, tokenKeyFile };
}

async function writeOnce(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, `${content}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
