import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CredentialMissing, type AccessKey } from '#libs/eci';
import type { CredentialReference } from './account-settings.ts';

const FileContent = z.object({
  accessKeyId: z.string().min(1),
  accessKeySecret: z.string().min(1),
  securityToken: z.string().min(1).optional(),
});

/** A mounted Secret may be rotated at any time; it is read again after this. */
const FRESH_MS = 30_000;

/** Node's codes for a path at which there is no file for us. */
const LEADS_NOWHERE: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'EACCES',
  'EPERM',
  'ELOOP',
  'ENAMETOOLONG',
]);

/** Follows the references of accounts. Keys live in this process's memory only. */
export class Credentials {
  private readonly variable: (name: string) => string | undefined;
  private readonly now: () => number;
  private readonly files = new Map<string, { readonly readAt: number; readonly key: AccessKey }>();

  constructor(parts: { readonly variable: (name: string) => string | undefined; readonly now: () => number }) {
    this.variable = parts.variable;
    this.now = parts.now;
  }

  /** Rejects with {@link CredentialMissing} where the reference leads nowhere; with anything else for a moment's trouble. */
  async read(reference: CredentialReference): Promise<AccessKey> {
    if (reference.kind === 'environment') {
      return {
        accessKeyId: this.required(reference.accessKeyIdVariable),
        accessKeySecret: this.required(reference.accessKeySecretVariable),
      };
    }
    const known = this.files.get(reference.path);
    if (known && this.now() - known.readAt < FRESH_MS) return known.key;
    const key = await readKey(reference.path);
    this.files.set(reference.path, { readAt: this.now(), key });
    return key;
  }

  private required(name: string): string {
    const value = this.variable(name)?.trim();
    if (!value) throw new CredentialMissing(`environment variable ${name} is not set in the control plane`);
    return value;
  }
}

async function readKey(path: string): Promise<AccessKey> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A process that is out of files, or a disk in trouble, says nothing of the account.
    if (code === undefined || !LEADS_NOWHERE.has(code)) throw error;
    throw new CredentialMissing(`file ${path} cannot be read (${code})`);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined;
  }
  const parsed = FileContent.safeParse(content);
  if (!parsed.success)
    throw new CredentialMissing(`file ${path} does not hold JSON {"accessKeyId": …, "accessKeySecret": …}`);
  const { accessKeyId, accessKeySecret, securityToken } = parsed.data;
  return { accessKeyId, accessKeySecret, ...(securityToken === undefined ? {} : { securityToken }) };
}
