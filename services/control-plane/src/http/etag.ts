import type { Response } from 'express';
import { invalid, Refusal } from '../answers/refusal.ts';

/** Sets the entity tag; true when the caller has this version already, and then the answer is 304 without a body. */
export function notModified(response: Response, etag: string, ifNoneMatch: string | undefined): boolean {
  response.setHeader('ETag', etag);
  const known = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!known.includes(etag) && !known.includes('*')) return false;
  response.status(304);
  return true;
}

/** For the documentation of routes that ask for it. */
export const IF_MATCH_HEADER = {
  name: 'If-Match',
  description:
    'The state that was decided on: `ETag` (or `etag`) of what was read. Another state by now: 412, and nothing is done.',
} as const;

/** The tag that an `If-Match` names; undefined without one. `*` names no state, and is as good as none. */
export function statedTag(ifMatch: string | undefined): string | undefined {
  const stated = ifMatch?.trim();
  if (stated === undefined || stated === '*') return undefined;
  if (!/^"[\x21\x23-\x7e]{1,200}"$/.test(stated))
    throw invalid([{ parameter: 'If-Match', detail: 'must be one entity tag in double quotes, as ETag gave it' }]);
  return stated;
}

/** Nothing that cannot be undone is done to a state that the caller has not seen. `read` is where it is shown. */
export const stateNotStated = (read: string): Refusal =>
  new Refusal(
    'state-not-stated',
    `this cannot be undone: look with ${read}, and send its ETag as If-Match; nothing was done`,
  );
