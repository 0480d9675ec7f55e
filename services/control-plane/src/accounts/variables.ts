import { flag, json, list, type Variables } from '#libs/configuration';
import { parseEndpoint } from '#libs/eci';
import { caFault } from '#libs/transport';
import { z } from 'zod';
import { ConfiguredAccount } from './account-settings.ts';
import { CredentialName, CredentialSource } from './credential-sources.ts';

const endpoint = z
  .string()
  .refine(
    (text) => parseEndpoint(text) !== undefined,
    'an endpoint must be a host or http(s)://host:port without a path',
  );

const credentials = z.record(z.string(), CredentialSource).superRefine((named, context) => {
  for (const name of Object.keys(named)) {
    const fault = CredentialName.safeParse(name).error?.issues[0]?.message;
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault, path: [name.slice(0, 100)] });
  }
});

/** Cloud accounts and their keys. */
export const accountVariables = {
  FLEET_ACCOUNTS: {
    secret: true,
    meaning: 'cloud accounts: JSON list of {id, name?, credential, regions, endpoint?, quotas?}',
    otherwise: 'one account "default" from ECI_ACCESS_KEY and ECI_SECRET_KEY',
    schema: json(z.array(ConfiguredAccount)),
    orFile: 'file with the accounts',
  },
  FLEET_CREDENTIALS: {
    secret: true,
    meaning: 'where the AccessKeys are that accounts may name: JSON object of {name: {kind, …}}',
    otherwise: 'those that FLEET_ACCOUNTS says on the spot',
    schema: json(credentials),
    orFile: 'file with the credentials',
  },
  FLEET_CREDENTIALS_DIR: {
    meaning: 'folder with more of them: <name>.json is the credential <name>, there as soon as the file is',
    schema: z.string().regex(/^\//, 'must be an absolute path'),
  },
  FLEET_ACCOUNT_ENDPOINTS: {
    meaning: "endpoints that accounts of the API may name beside the cloud's own, as https://host,https://host:port",
    otherwise: "none: the cloud's own only",
    schema: list(z.array(endpoint)),
  },
  ECI_ENDPOINT: {
    meaning: 'endpoint of ECI for all accounts, for example http://127.0.0.1:18080',
    otherwise: "each region's own",
    schema: endpoint,
  },
  ECI_ENDPOINT_INSECURE: {
    meaning: 'keys and Secrets may travel in clear to an endpoint on another machine: true or false',
    default: 'false',
    schema: flag,
  },
  ECI_CA_FILE: {
    meaning: 'PEM file with the CA of endpoints, all of them',
    otherwise: "the system's",
    file: caFault,
  },
  ECI_ACCESS_KEY: { secret: true, meaning: 'AccessKey id of account "default", when FLEET_ACCOUNTS is absent' },
  ECI_SECRET_KEY: { secret: true, meaning: 'AccessKey secret of account "default"' },
} as const satisfies Variables;
