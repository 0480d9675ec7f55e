import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { parseJson } from '#libs/configuration';
import { assumeRole, CloudAccountUnusable, endpointOf, type AccessKey } from '#libs/eci';
import { AssumedRoles } from './assumed-roles.ts';
import {
  CredentialName,
  OldReference,
  type ConfiguredCredentials,
  type CredentialReference,
  type CredentialSource,
  type RoleSource,
} from './credential-sources.ts';

const KeyFile = z.object({
  accessKeyId: z.string().min(1),
  accessKeySecret: z.string().min(1),
  securityToken: z.string().min(1).optional(),
});

/** A mounted Secret may be rotated at any time; it is read again after this. */
const FRESH_MS = 30_000;
/** Central; each region has one of its own, too. */
const STS = 'sts.aliyuncs.com';
/** No key is longer; a path that leads to something else is not read through. */
const MOST_BYTES = 65_536;

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

/**
 * Keys by the names of the configuration. They live in this process's memory only. Messages of errors say which variable or file is wrong, so
 * they are for operators: the log and the doctor, never an answer.
 */
export class Credentials {
  private readonly configured: ConfiguredCredentials;
  private readonly variable: (name: string) => string | undefined;
  private readonly now: () => number;
  private readonly caFile: string | undefined;
  private readonly roles: AssumedRoles;
  private readonly keys = new Map<string, { readonly readAt: number; readonly key: AccessKey }>();

  constructor(parts: {
    readonly configured: ConfiguredCredentials;
    readonly variable: (name: string) => string | undefined;
    readonly now: () => number;
    /** Of STS, as of every endpoint. */
    readonly caFile?: string | undefined;
  }) {
    this.caFile = parts.caFile;
    this.configured = parts.configured;
    this.variable = parts.variable;
    this.now = parts.now;
    this.roles = new AssumedRoles({ assume: (source) => this.assume(source), now: parts.now });
  }

  /** Whether the configuration has a credential of this name; whether it can be read is another matter. */
  async knows(name: string): Promise<boolean> {
    const source = this.sourceOf(name);
    if (source === undefined) return false;
    if (this.configured.named.has(name) || source.kind !== 'file') return true;
    const found = await stat(source.path).catch(() => undefined);
    return found?.isFile() === true;
  }

  /** The same credential as versions of before there were names read it, where they can. */
  asBefore(name: string): OldReference | undefined {
    return OldReference.safeParse(this.sourceOf(name)).data;
  }

  /** Rejects with {@link CloudAccountUnusable} where the reference leads nowhere; with anything else for a moment's trouble. */
  async read(reference: CredentialReference): Promise<AccessKey> {
    const source = typeof reference === 'string' ? this.sourceOf(reference) : reference;
    if (source === undefined)
      throw new CloudAccountUnusable('credential', `credential ${String(reference)} is not configured`);
    if (source.kind === 'environment') {
      return {
        accessKeyId: this.required(source.accessKeyIdVariable),
        accessKeySecret: this.required(source.accessKeySecretVariable),
      };
    }
    if (source.kind === 'role') return this.roles.key(source);
    const place = `${source.kind} ${source.path}`;
    const known = this.keys.get(place);
    if (known && this.now() - known.readAt < FRESH_MS) return known.key;
    const key = source.kind === 'file' ? await keyOfFile(source.path) : await keyOfFolder(source.path);
    this.keys.set(place, { readAt: this.now(), key });
    return key;
  }

  private async assume({ roleArn, credential, endpoint = STS }: RoleSource) {
    const key = await this.read(credential);
    return assumeRole({ key, roleArn, endpoint: endpointOf('', endpoint), caFile: this.caFile });
  }

  private sourceOf(name: string): CredentialSource | undefined {
    // Also of a name that comes from the database: with a slash in it, it would be a path.
    if (!CredentialName.safeParse(name).success) return undefined;
    const { named, folder } = this.configured;
    return named.get(name) ?? (folder === undefined ? undefined : { kind: 'file', path: join(folder, `${name}.json`) });
  }

  private required(name: string): string {
    const value = this.variable(name)?.trim();
    if (!value)
      throw new CloudAccountUnusable('credential', `environment variable ${name} is not set in the control plane`);
    return value;
  }
}

async function keyOfFile(path: string): Promise<AccessKey> {
  const text = await readText(path);
  const parsed = KeyFile.safeParse(text === undefined ? undefined : parseJson(text));
  if (!parsed.success)
    throw new CloudAccountUnusable(
      'credential',
      `file ${path} does not hold JSON {"accessKeyId": …, "accessKeySecret": …}`,
    );
  return keyOf(parsed.data);
}

async function keyOfFolder(path: string): Promise<AccessKey> {
  const [accessKeyId, accessKeySecret, securityToken] = await Promise.all([
    readText(join(path, 'accessKeyId')),
    readText(join(path, 'accessKeySecret')),
    readText(join(path, 'securityToken'), { mayBeAbsent: true }),
  ]);
  const parsed = KeyFile.safeParse({
    accessKeyId: accessKeyId?.trim(),
    accessKeySecret: accessKeySecret?.trim(),
    securityToken: securityToken?.trim(),
  });
  if (!parsed.success)
    throw new CloudAccountUnusable('credential', `folder ${path} has no AccessKey in accessKeyId and accessKeySecret`);
  return keyOf(parsed.data);
}

const keyOf = ({ accessKeyId, accessKeySecret, securityToken }: z.infer<typeof KeyFile>): AccessKey => ({
  accessKeyId,
  accessKeySecret,
  ...(securityToken === undefined ? {} : { securityToken }),
});

async function readText(path: string, { mayBeAbsent = false } = {}): Promise<string | undefined> {
  try {
    const found = await stat(path);
    // A device or a pipe would be read for ever.
    if (!found.isFile()) throw new CloudAccountUnusable('credential', `${path} is not a file`);
    if (found.size > MOST_BYTES) throw new CloudAccountUnusable('credential', `file ${path} is too long for a key`);
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A process that is out of files, or a disk in trouble, says nothing of the account.
    if (code === undefined || !LEADS_NOWHERE.has(code)) throw error;
    if (mayBeAbsent && code === 'ENOENT') return undefined;
    throw new CloudAccountUnusable('credential', `file ${path} cannot be read (${code})`);
  }
}
