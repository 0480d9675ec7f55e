import { CloudAccountUnusable } from './account-errors.ts';
import { isKnownRegion } from './regions.ts';

export interface Endpoint {
  /** Host, with a port when it is not the protocol's own. */
  readonly host: string;
  readonly protocol: 'http' | 'https';
}

/** ASCII names and addresses only: whoever reads a list of endpoints must see which host is meant. */
const WRITTEN = /^(?:https?:\/\/)?(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?\/?$/i;

/**
 * Reads `host`, `host:port`, `http://host:port` or `https://host`; undefined for anything else. Without a scheme it is https: keys and Secrets
 * travel in the request, so plain http must be said aloud.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (!WRITTEN.test(text)) return undefined;
  const whole = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  return url && { host: url.host, protocol: url.protocol === 'http:' ? 'http' : 'https' };
}

/** The endpoint of a region, or an override. Throws {@link CloudAccountUnusable} for an override that is none. */
export function endpointOf(region: string, override?: string): Endpoint {
  if (override === undefined || override === '') return { host: `eci.${region}.aliyuncs.com`, protocol: 'https' };
  const endpoint = parseEndpoint(override);
  if (!endpoint)
    throw new CloudAccountUnusable(
      'set-up',
      'ECI endpoint: want http://host:port or https://host, without path or user',
    );
  return endpoint;
}

/**
 * Whether an endpoint is ECI itself: its central name, or that of a region that ECI is known to have or that is among `regions`, from the
 * Internet or from inside a VPC (the names of the SDK's own rules), over TLS. Other names under aliyuncs.com will not do: buckets, gateways and
 * functions of anybody have such names, `eci.oss-cn-hangzhou.aliyuncs.com` among them.
 */
export function isCloudEndpoint({ host, protocol }: Endpoint, regions: readonly string[] = []): boolean {
  if (protocol !== 'https') return false;
  const region = /^eci(?:-vpc)?(?:\.([a-z0-9-]+))?\.aliyuncs\.com$/.exec(host);
  if (!region) return false;
  return region[1] === undefined || isKnownRegion(region[1]) || regions.includes(region[1]);
}
