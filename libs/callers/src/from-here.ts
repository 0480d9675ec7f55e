import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/** Whether only this machine can reach an address to listen on. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[|\]$/g, '');
  if (isIP(address) === 4) return address.startsWith('127.');
  return address === '::1' || address === 'localhost';
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
