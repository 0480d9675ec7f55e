import { section, type Given, type Values } from '#libs/configuration';
import { parseEndpoint } from '#libs/eci';
import { insecureTransports, type InsecureTransport, type RuledLink } from '#libs/transport';
import type { AccountSettings, ConfiguredAccount } from './account-settings.ts';
import type { CredentialSource, ConfiguredCredentials } from './credential-sources.ts';
import { accountVariables } from './variables.ts';

/** What operators decide about accounts: which names stand for which keys, and where keys may be sent. */
interface AccountsConfig {
  readonly accounts: readonly AccountSettings[];
  readonly credentials: ConfiguredCredentials;
  /** Endpoints that accounts of the API may name, beside the cloud's own. */
  readonly endpoints: readonly string[];
  /** Overrides the endpoint of every account. */
  readonly endpoint?: string;
  /** CA of endpoints, a PEM file that is read at each connection; absent: the system's authorities. */
  readonly caFile?: string;
}

interface AccountsSettings {
  readonly accounts: AccountsConfig;
  readonly insecureTransports: readonly InsecureTransport[];
}

type AccountValues = Values<typeof accountVariables>;
type Named = Map<string, CredentialSource>;

export const accounts = section({
  variables: accountVariables,
  rules: (given) => {
    if (!given.has('FLEET_ACCOUNTS')) given.together('ECI_ACCESS_KEY', 'ECI_SECRET_KEY');
  },
  settings: (v, given): AccountsSettings => {
    const named: Named = new Map(Object.entries(v.FLEET_CREDENTIALS ?? {}));
    const folder = v.FLEET_CREDENTIALS_DIR;
    const settings = namedAccounts(v, named, given);
    for (const { id, credential } of settings) {
      // A file of the folder may come later, as Secrets are mounted and renewed.
      if (!named.has(credential) && folder === undefined)
        given.fault(
          'FLEET_ACCOUNTS',
          `account ${id} names the credential ${credential}, which is not in FLEET_CREDENTIALS, and there is no FLEET_CREDENTIALS_DIR`,
        );
    }
    checkRoles(named, folder, given);
    const links = linksOf(v, settings, named);
    return {
      accounts: {
        accounts: settings,
        credentials: { named, ...(folder !== undefined && { folder }) },
        endpoints: v.FLEET_ACCOUNT_ENDPOINTS ?? [],
        ...(v.ECI_ENDPOINT !== undefined && { endpoint: v.ECI_ENDPOINT }),
        ...(v.ECI_CA_FILE !== undefined && { caFile: v.ECI_CA_FILE }),
      },
      insecureTransports: insecureTransports(links, given.environment, given.faults),
    };
  },
});

/** Accounts that say on the spot where their key is have a credential of their own name from then on, added to `named`. */
function namedAccounts(v: AccountValues, named: Named, given: Given): AccountSettings[] {
  const seen = new Set<string>();
  return (v.FLEET_ACCOUNTS ?? defaultAccount(v)).map(({ credential, ...account }) => {
    const { id } = account;
    if (seen.has(id)) given.fault('FLEET_ACCOUNTS', `two accounts have the id ${id}`);
    seen.add(id);
    if (typeof credential === 'string') return { ...account, credential };
    if (named.has(id))
      given.fault(
        'FLEET_ACCOUNTS',
        `account ${id} says where its key is, and FLEET_CREDENTIALS has a credential of that name: keep one of them`,
      );
    named.set(id, credential);
    return { ...account, credential: id };
  });
}

function defaultAccount(v: AccountValues): ConfiguredAccount[] {
  if (v.ECI_ACCESS_KEY === undefined || v.ECI_SECRET_KEY === undefined) return [];
  const credential = {
    kind: 'environment',
    accessKeyIdVariable: 'ECI_ACCESS_KEY',
    accessKeySecretVariable: 'ECI_SECRET_KEY',
  } as const;
  return [{ id: 'default', name: 'default', credential, regions: [] }];
}

/** A role is assumed with a key, and not with another role. */
function checkRoles(named: Named, folder: string | undefined, given: Given): void {
  for (const [name, source] of named) {
    if (source.kind !== 'role') continue;
    const base = named.get(source.credential);
    if (base?.kind === 'role' || (base === undefined && folder === undefined))
      given.fault(
        'FLEET_CREDENTIALS',
        `$.${name}.credential: ${source.credential} is ${base ? 'a role itself' : 'not configured'}: name a credential that holds an AccessKey`,
      );
  }
}

/** Wherever a key may be sent. */
function linksOf(v: AccountValues, settings: readonly AccountSettings[], named: Named): readonly RuledLink[] {
  const links: RuledLink[] = [];
  const add = (setting: string, text: string | undefined): void => {
    const link = text === undefined ? undefined : endpointLink(setting, text);
    if (link) links.push(link);
  };
  for (const text of v.FLEET_ACCOUNT_ENDPOINTS ?? []) add('FLEET_ACCOUNT_ENDPOINTS', text);
  for (const { id, endpoint } of settings) add(`FLEET_ACCOUNTS: account ${id}`, endpoint);
  for (const [name, source] of named)
    if (source.kind === 'role') add(`FLEET_CREDENTIALS: $.${name}.endpoint`, source.endpoint);
  add('ECI_ENDPOINT', v.ECI_ENDPOINT);
  return links;
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
