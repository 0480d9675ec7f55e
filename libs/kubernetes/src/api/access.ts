import type { ConnectionOptions as TlsOptions } from 'node:tls';
import type { Dispatcher } from 'undici';

/** Part of Node's options for TLS that a credential may set. */
export type AccessTls = Pick<
  TlsOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'rejectUnauthorized' | 'servername'
>;

export interface Credential {
  /** In lower case. */
  readonly headers: Record<string, string>;
  readonly tls: AccessTls;
}

/** Where an API server is and how to be somebody there. */
export interface Access {
  /** URL without a slash at its end. */
  readonly server: string;
  /** The credential as it is now: files are read and commands run anew. */
  read(): Promise<Credential>;
  /** A way to the server that is not direct, such as a proxy; undefined = direct, `connect` = further options for it. */
  route?(tls: AccessTls): Promise<{ readonly dispatcher?: Dispatcher; readonly connect?: object }>;
}
