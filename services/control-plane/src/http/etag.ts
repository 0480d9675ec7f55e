import { createHash } from 'node:crypto';
import type { Response } from 'express';

/** Sets the entity tag; true when the caller has this version already, and then the answer is 304 without a body. */
export function notModified(response: Response, etag: string, ifNoneMatch: string | undefined): boolean {
  response.setHeader('ETag', etag);
  const known = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!known.includes(etag) && !known.includes('*')) return false;
  response.status(304);
  return true;
}

/** Tag of an answer that has no version of its own: a digest of it. */
export function entityTag(answer: unknown): string {
  return `"${createHash('sha256').update(JSON.stringify(answer)).digest('base64url').slice(0, 22)}"`;
}
