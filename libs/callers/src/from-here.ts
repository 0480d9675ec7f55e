import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether an address leads to this machine and nowhere else, in whatever way it is written: 127.0.0.0/8, ::1, the former inside IPv6, localhost. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  const version = isIP(address);
  if (version === 0) return address.toLowerCase() === 'localhost';
  return LOOPBACK.check(address, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Whether a request came under a name of this machine, and from no page of another origin. A browser says both by itself, whatever the page wants;
 * programs say no origin.
 */
export function isFromHere({ host, origin }: IncomingHttpHeaders): boolean {
  const named = urlOf(`http://${host ?? ''}`);
  if (named === undefined || !isLoopback(named.hostname)) return false;
  return origin === undefined || urlOf(origin)?.host === named.host;
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
