import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';

interface KeyFiles {
  /** For FLEET_MASTER_KEY_FILE. */
  readonly masterKeyFile: string;
  /** For FLEET_TOKEN_KEY_FILE. */
  readonly tokenKeyFile: string;
  /** For FLEET_AUDIT_KEY_FILE. */
  readonly auditKeyFile: string;
}

/**
 * Makes the keys of a control plane in `folder`, mode 0600, unless they are there: a key is never overwritten, for without the master key
 * everything that it sealed is lost.
 */
export async function makeKeyFiles(folder: string): Promise<KeyFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const masterKeyFile = join(folder, 'master-key');
  const tokenKeyFile = join(folder, 'token-key.json');
  await writeOnce(masterKeyFile, randomBytes(32).toString('base64'));
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  await writeOnce(tokenKeyFile, JSON.stringify(await exportJWK(privateKey)));
  const auditKeyFile = join(folder, 'audit-key.json');
  const audit = await generateKeyPair('Ed25519', { extractable: true });
  await writeOnce(auditKeyFile, JSON.stringify(await exportJWK(audit.privateKey)));
  return { masterKeyFile, tokenKeyFile, auditKeyFile };
}

async function writeOnce(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, `${content}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
