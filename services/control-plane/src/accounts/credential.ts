import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { AccessKey } from '#libs/eci';
import type { CredentialReference } from './account-settings.ts';

const FileContent = z.object({
  accessKeyId: z.string().min(1),
  accessKeySecret: z.string().min(1),
  securityToken: z.string().min(1).optional(),
});

/** A mounted Secret may be rotated at any time; it is read again after this. */
const FRESH_MS = 30_000;

/** The reference leads nowhere. The message names the variable or the file, never what is in it. */
export class CredentialMissing extends Error {
  override readonly name = 'CredentialMissing';
}

/** Follows the references of accounts. Keys live in this process's memory only. */
export class Credentials {
  private readonly variable: (name: string) => string | undefined;
  private readonly now: () => number;
  private readonly files = new Map<string, { readonly readAt: number; readonly key: AccessKey }>();

  constructor(parts: { readonly variable: (name: string) => string | undefined; readonly now: () => number }) {
    this.variable = parts.variable;
    this.now = parts.now;
  }

  /** Rejects with {@link CredentialMissing}. */
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
    throw new CredentialMissing(`file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
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
