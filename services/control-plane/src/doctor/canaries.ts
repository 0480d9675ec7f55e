import type { ControlPlaneConfig } from '../config.ts';
import type { Canaries } from './oracles/o7-secrets.ts';

/** Secrets of this configuration that must lie nowhere in the database; files of credentials are left to their owners. */
export function canariesOf({ accounts, masterKey, tokenKey, http, variable }: ControlPlaneConfig): Canaries {
  const keys = [...accounts.credentials.named].flatMap(([name, source]) =>
    source.kind === 'environment'
      ? [{ name: `the AccessKey secret of credential ${name}`, value: variable(source.accessKeySecretVariable) ?? '' }]
      : [],
  );
  return {
    values: [
      ...keys,
      { name: 'the master key', value: Buffer.from(masterKey).toString('base64') },
      { name: 'the token key', value: tokenKey.d },
      ...(http.adminToken === undefined ? [] : [{ name: 'FLEET_ADMIN_TOKEN', value: http.adminToken }]),
    ].filter(({ value }) => value.length >= 8),
  };
}
