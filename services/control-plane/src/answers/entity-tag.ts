import { createHash } from 'node:crypto';

/** Tag of what has no version of its own: a digest of it. */
export function entityTag(answer: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(answer)).digest('base64url').slice(0, 22)}"`;
}
