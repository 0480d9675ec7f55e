import { z } from 'zod';
import { parseEndpoint } from '#libs/eci';
import { notGiven } from '#libs/runtime';
import { insecureTransports, type InsecureTransport, type RuledLink } from '#libs/transport';
import type { FileValues } from '../file-values.ts';
import { parseJson, readCa } from '../key-settings.ts';
import { ConfiguredAccount, type AccountSettings } from './account-settings.ts';
import { CredentialName, CredentialSource, type ConfiguredCredentials } from './credential-sources.ts';

/** What operators decide about accounts: which names stand for which keys, and where keys may be sent. */
export interface AccountsConfig {
  readonly accounts: readonly AccountSettings[];
  readonly credentials: ConfiguredCredentials;
  /** Endpoints that accounts of the API may name, beside the cloud's own. */
  readonly endpoints: readonly string[];
  /** Overrides the endpoint of every account. */
  readonly endpoint?: string;
  /** CA of endpoints, a PEM file that is read at each connection; absent: the system's authorities. */
  readonly caFile?: string;
  /** Endpoints that keys and Secrets go to in clear, as allowed. */
  readonly insecure: readonly InsecureTransport[];
}

type Raw = Readonly<Record<string, string>>;
type Environment = Readonly<Record<string, string | undefined>>;

export function readAccountsConfig(
  values: FileValues,
  raw: Raw,
  environment: Environment,
  faults: string[],
): AccountsConfig {
  const named = readCredentials(values, faults);
  const folder = readFolder(raw, faults);
  const accounts = readAccounts(values, raw, named, faults);
  for (const { id, credential } of accounts) {
    // A file of the folder may come later, as Secrets are mounted and renewed.
    if (!named.has(credential) && folder === undefined)
      faults.push(
        `FLEET_ACCOUNTS: account ${id} names the credential ${credential}, which is not in FLEET_CREDENTIALS, and there is no FLEET_CREDENTIALS_DIR`,
      );
  }
  const listed = (raw['FLEET_ACCOUNT_ENDPOINTS'] ?? '').split(',').map((text) => text.trim());
  const endpoints = listed.filter((text) => text !== '');
  const endpoint = raw['ECI_ENDPOINT'];
  const links: RuledLink[] = [];
  const check = (setting: string, text: string): void => {
    const link = endpointLink(setting, text);
    if (link) links.push(link);
    else faults.push(`${setting}: an endpoint must be a host or http(s)://host:port without a path${notGiven(text)}`);
  };
  for (const text of endpoints) check('FLEET_ACCOUNT_ENDPOINTS', text);
  for (const { id, endpoint: own } of accounts) if (own !== undefined) check(`FLEET_ACCOUNTS: account ${id}`, own);
  for (const [name, source] of named) {
    if (source.kind !== 'role') continue;
    const base = named.get(source.credential);
    if (base?.kind === 'role' || (base === undefined && folder === undefined))
      faults.push(
        `FLEET_CREDENTIALS: $.${name}.credential: ${source.credential} is ${base ? 'a role itself' : 'not configured'}: name a credential that holds an AccessKey`,
      );
    if (source.endpoint !== undefined) check(`FLEET_CREDENTIALS: $.${name}.endpoint`, source.endpoint);
  }
  if (endpoint !== undefined) check('ECI_ENDPOINT', endpoint);
  const caFile = raw['ECI_CA_FILE'];
  readCa(values, 'ECI_CA_FILE', faults);
  return {
    accounts,
    credentials: { named, ...(folder === undefined ? {} : { folder }) },
    endpoints,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(caFile === undefined ? {} : { caFile }),
    insecure: insecureTransports(links, environment, faults),
  };
}

/** Every request is signed, so whoever answers is told who calls. */
function endpointLink(setting: string, text: string): RuledLink | undefined {
  const endpoint = parseEndpoint(text);
  if (!endpoint) return undefined;
  const encrypted = endpoint.protocol === 'https';
  return {
    setting,
    exception: 'ECI_ENDPOINT_INSECURE',
    remedy: 'keys and Secrets are in it: use https',
    hosts: [new URL(`https://${endpoint.host}`).hostname],
    encrypted,
    serverVerified: encrypted,
    clientProven: true,
  };
}

function readCredentials(values: FileValues, faults: string[]): Map<string, CredentialSource> {
  const named = new Map<string, CredentialSource>();
  const text = values.get('FLEET_CREDENTIALS');
  if (text === null || text === undefined) return named;
  const parsed = z.record(z.string(), CredentialSource).safeParse(parseJson(text));
  for (const issue of parsed.error?.issues ?? [])
    faults.push(`FLEET_CREDENTIALS: ${['$', ...issue.path].join('.')}: ${issue.message}`);
  for (const [name, source] of Object.entries(parsed.data ?? {})) {
    const fault = CredentialName.safeParse(name).error?.issues[0]?.message;
    if (fault !== undefined) faults.push(`FLEET_CREDENTIALS: $.${name.slice(0, 100)}: ${fault}`);
    named.set(name, source);
  }
  return named;
}

function readFolder(raw: Raw, faults: string[]): string | undefined {
  const folder = raw['FLEET_CREDENTIALS_DIR'];
  if (folder !== undefined && !folder.startsWith('/'))
    faults.push(`FLEET_CREDENTIALS_DIR: must be an absolute path${notGiven(folder)}`);
  return folder;
}

/** Accounts that say on the spot where their key is have a credential of their own name from then on, added to `named`. */
function readAccounts(
  values: FileValues,
  raw: Raw,
  named: Map<string, CredentialSource>,
  faults: string[],
): AccountSettings[] {
  const text = values.get('FLEET_ACCOUNTS');
  if (text === null) return [];
  const parsed = z
    .array(ConfiguredAccount)
    .safeParse(text === undefined ? defaultAccount(raw, faults) : parseJson(text));
  if (!parsed.success) {
    for (const issue of parsed.error.issues.flatMap(deepest))
      faults.push(`FLEET_ACCOUNTS: ${['$', ...issue.path].join('.')}: ${issue.message}`);
    return [];
  }
  const seen = new Set<string>();
  return parsed.data.map(({ credential, ...account }) => {
    const { id } = account;
    if (seen.has(id)) faults.push(`FLEET_ACCOUNTS: two accounts have the id ${id}`);
    seen.add(id);
    if (typeof credential === 'string') return { ...account, credential };
    if (named.has(id))
      faults.push(
        `FLEET_ACCOUNTS: account ${id} says where its key is, and FLEET_CREDENTIALS has a credential of that name: keep one of them`,
      );
    named.set(id, credential);
    return { ...account, credential: id };
  });
}

function defaultAccount(raw: Raw, faults: string[]): z.input<typeof ConfiguredAccount>[] {
  const has = (name: string): boolean => raw[name] !== undefined;
  if (!has('ECI_ACCESS_KEY') && !has('ECI_SECRET_KEY')) return [];
  for (const name of ['ECI_ACCESS_KEY', 'ECI_SECRET_KEY']) {
    if (!has(name)) faults.push(`${name}: is missing, while its other half is set`);
  }
  const credential = {
    kind: 'environment',
    accessKeyIdVariable: 'ECI_ACCESS_KEY',
    accessKeySecretVariable: 'ECI_SECRET_KEY',
  } as const;
  return [{ id: 'default', name: 'default', credential, regions: [] }];
}

/** Of a value that may be one of several things: what is wrong with the one that it resembles most. */
function deepest(issue: z.core.$ZodIssue): readonly { path: readonly PropertyKey[]; message: string }[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const nested = issue.errors
    .map((some) => some.flatMap((each) => deepest({ ...each, path: [...issue.path, ...each.path] })))
    .sort((a, b) => Math.max(...b.map(({ path }) => path.length)) - Math.max(...a.map(({ path }) => path.length)));
  return nested[0] ?? [issue];
}
