import { AccountUnusable } from './account-errors.ts';

export interface Endpoint {
  /** Host, with a port when it is not the protocol's own. */
  readonly host: string;
  readonly protocol: 'http' | 'https';
}

/**
 * The endpoint of a region, or an override: `host`, `host:port`, `http://host:port` or `https://host`. Without a scheme it is https: keys and
 * Secrets travel in the request, so plain http must be said aloud. Throws {@link AccountUnusable} for anything else.
 */
export function endpointOf(region: string, override?: string): Endpoint {
  if (override === undefined || override === '') return { host: `eci.${region}.aliyuncs.com`, protocol: 'https' };
  const text = /^[a-z]+:\/\//i.test(override) ? override : `https://${override}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const ok =
    url &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.pathname === '/' &&
    url.search === '' &&
    url.username === '';
  if (!ok) throw new AccountUnusable(`ECI endpoint: want http://host:port or https://host, without path or user`);
  return { host: url.host, protocol: url.protocol === 'http:' ? 'http' : 'https' };
}
