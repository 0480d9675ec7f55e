/** Keys of the control plane as its configuration gives them: each is refused with what is wrong and the command that makes a good one. */
import { pemKeyFault, privateJwkFault, secretTextFault } from '#libs/keys';
import { caFault } from '#libs/transport';
import { z } from 'zod';
import { AuditKey, auditKeyFault } from './audit/audit-key.ts';
import type { FileValues } from './file-values.ts';

/** Private EC P-256 key as a JWK. */
export const TokenKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string().min(1),
  y: z.string().min(1),
  d: z.string().min(1),
  kid: z.string().min(1).optional(),
});
export type TokenKey = z.infer<typeof TokenKey>;

const NEW_MASTER_KEY = 'make one with `openssl rand -base64 32`';
const NEW_KEYS = 'make one with `npm run --silent control-plane -- --make-keys <folder>`';
const NEW_TLS_KEY = 'make one with `openssl ecparam -name prime256v1 -genkey -noout` and a certificate for it';

export function readMasterKey(values: FileValues, faults: string[]): Uint8Array | undefined {
  const text = values.get('FLEET_MASTER_KEY');
  if (text === null) return undefined;
  if (text === undefined) {
    faults.push(
      'FLEET_MASTER_KEY: is missing: set it or FLEET_MASTER_KEY_FILE to 32 random bytes in base64 (for example `openssl rand -base64 32`)',
    );
    return undefined;
  }
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0);
  if (bytes.length !== 32) {
    faults.push(`FLEET_MASTER_KEY: must be exactly 32 bytes in base64 (44 characters): ${NEW_MASTER_KEY}`);
    return undefined;
  }
  const weakness = secretTextFault(text, bytes);
  if (weakness !== undefined) {
    faults.push(`FLEET_MASTER_KEY: can be guessed: it ${weakness}; ${NEW_MASTER_KEY}`);
    return undefined;
  }
  return new Uint8Array(bytes);
}

export function readTokenKey(values: FileValues, faults: string[]): TokenKey | undefined {
  const text = values.get('FLEET_TOKEN_KEY');
  if (text === null) return undefined;
  if (text === undefined) {
    faults.push(
      'FLEET_TOKEN_KEY: is missing: set it or FLEET_TOKEN_KEY_FILE to a private EC P-256 key as a JWK, the same for every replica (`--make-keys <folder>` makes one)',
    );
    return undefined;
  }
  const key = parseJson(text);
  const fault = privateJwkFault(key, 'P-256');
  if (fault !== undefined) {
    faults.push(`FLEET_TOKEN_KEY: ${fault}; ${NEW_KEYS}`);
    return undefined;
  }
  const parsed = TokenKey.safeParse(key);
  if (parsed.success) return parsed.data;
  faults.push('FLEET_TOKEN_KEY: is not a private EC P-256 JWK (look at kid)');
  return undefined;
}

export function readAuditKey(values: FileValues, faults: string[]): AuditKey | undefined {
  const text = values.get('FLEET_AUDIT_KEY');
  if (text === null || text === undefined) return undefined;
  const key = parseJson(text);
  const fault = auditKeyFault(key);
  if (fault !== undefined) {
    faults.push(`FLEET_AUDIT_KEY: ${fault}; ${NEW_KEYS}`);
    return undefined;
  }
  return AuditKey.parse(key);
}

/** A certificate of ours and its key, from files that are read anew when they change; the faults are those of now. */
export function readCertificate(
  values: FileValues,
  raw: Readonly<Record<string, string>>,
  [certName, keyName]: readonly [string, string],
  faults: string[],
): { readonly certFile: string; readonly keyFile: string } | undefined {
  const [certFile, keyFile] = [raw[certName], raw[keyName]];
  const [cert, key] = [values.file(certName), values.file(keyName)];
  if (certFile !== undefined && keyFile === undefined) faults.push(`${keyName}: is missing, while ${certName} is set`);
  if (keyFile !== undefined && certFile === undefined) faults.push(`${certName}: is missing, while ${keyName} is set`);
  if (!cert || !key || certFile === undefined || keyFile === undefined) return undefined;
  const fault = pemKeyFault(key, cert);
  if (fault !== undefined) faults.push(`${keyName}: ${fault}; ${NEW_TLS_KEY}`);
  return { certFile, keyFile };
}

/** The path of a CA that others are verified by, from a file that is read anew at each connection; the faults are those of now. */
export function readCa(values: FileValues, name: string, faults: string[]): void {
  const text = values.file(name);
  const fault = text === null || text === undefined ? undefined : caFault(text);
  if (fault !== undefined) faults.push(`${name}: ${fault}`);
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
