import { createHash } from 'node:crypto';

/**
 * The client token of an attempt: the same for the same attempt of the same stream, whoever computes it, so that no crash can make two. 43
 * characters; ECI takes up to 64 of ASCII.
 */
export function clientTokenOf(fleet: string, streamId: string, attempt: number): string {
  return createHash('sha256').update(`${fleet}\n${streamId}\n${attempt}`).digest('base64url');
}
