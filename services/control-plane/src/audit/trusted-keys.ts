import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { PublicAuditKey, publicAuditKey, type AuditKey, type NamedAuditKey } from './audit-key.ts';

/** Public keys that an auditor trusts, each with where it comes from. */
interface TrustedKey extends NamedAuditKey {
  readonly from: string;
}

const Jwks = z.union([
  z.object({ keys: z.array(PublicAuditKey).min(1) }).transform(({ keys }) => keys),
  PublicAuditKey.transform((key) => [key]),
]);

/** Of the file that the auditor keeps, and of the key in use; never of PostgreSQL. @throws Error when the file holds no such keys. */
export async function trustedKeys(
  file: string | undefined,
  inUse: AuditKey | undefined,
): Promise<readonly TrustedKey[]> {
  const keys = new Map<string, TrustedKey>();
  for (const key of file === undefined ? [] : await keysOf(file)) keys.set(key.kid, { ...key, from: file! });
  if (inUse) {
    const key = publicAuditKey(inUse);
    if (!keys.has(key.kid)) keys.set(key.kid, { ...key, from: 'FLEET_AUDIT_KEY' });
  }
  return [...keys.values()];
}

async function keysOf(file: string): Promise<readonly NamedAuditKey[]> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(
      `cannot read public keys from ${file}: ${(error as NodeJS.ErrnoException).code ?? 'it is not JSON'}`,
    );
  }
  const keys = Jwks.safeParse(value);
  if (!keys.success)
    throw new Error(`${file} holds no public Ed25519 keys: give what \`npm run fleet -- audit keys\` prints (a JWKS)`);
  return keys.data.map(publicAuditKey);
}
