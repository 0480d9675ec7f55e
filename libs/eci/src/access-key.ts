import type { Endpoint } from './endpoint.ts';
import { SdkConfig } from './sdk.ts';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  /** With keys of an assumed role. */
  readonly securityToken?: string;
}

/** All of it that no text may hold. */
export const partsOf = ({ accessKeyId, accessKeySecret, securityToken }: AccessKey): readonly string[] =>
  [accessKeyId, accessKeySecret, securityToken ?? ''].filter((part) => part !== '');

/** For a client of the SDK that signs with the key and calls the endpoint, over TLS with the authorities of `ca` (PEM; absent: the system's). */
export const signedWith = (
  key: AccessKey,
  endpoint: Endpoint,
  ca?: string,
): ConstructorParameters<typeof SdkConfig>[0] => ({
  accessKeyId: key.accessKeyId,
  accessKeySecret: key.accessKeySecret,
  ...(key.securityToken === undefined ? {} : { securityToken: key.securityToken }),
  endpoint: endpoint.host,
  protocol: endpoint.protocol,
  ...(ca === undefined ? {} : { ca }),
});
