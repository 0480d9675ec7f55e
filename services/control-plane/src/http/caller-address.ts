import { isIPv6 } from 'node:net';
import type { Request } from 'express';

/**
 * Where a request comes from, as limits count it. Of IPv6 the first 64 bits: whoever has one address has all below them. What a proxy says of its
 * callers is not believed, since anybody can say it.
 */
export function callerAddress({ socket }: Pick<Request, 'socket'>): string {
  return countedAddress(socket.remoteAddress ?? 'unknown');
}

export function countedAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return plain;
  const [before = '', after] = plain.split('::');
  const head = before === '' ? [] : before.split(':');
  const tail = after === undefined || after === '' ? [] : after.split(':');
  const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4);
  return `${groups.map((group) => parseInt(group, 16).toString(16)).join(':')}::/64`;
}
