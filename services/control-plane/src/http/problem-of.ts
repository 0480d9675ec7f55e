import type { Refusal, RefusalCode } from '../answers/refusal.ts';
import { Problem, problemType } from './problem.ts';

/** What each refusal is over HTTP. */
const PROBLEMS: Readonly<Record<RefusalCode, { readonly status: number; readonly title: string }>> = {
  'invalid-request': { status: 400, title: 'Invalid request' },
  'account-refused': { status: 400, title: 'The account cannot be set up so' },
  'agent-not-authenticated': { status: 401, title: 'Agent not authenticated' },
  'join-token-unknown': { status: 401, title: 'Join token refused' },
  'agent-key-retired': { status: 403, title: 'Key retired' },
  'cluster-revoked': { status: 403, title: 'Cluster revoked' },
  'cluster-fingerprint-mismatch': { status: 403, title: 'Another cluster' },
  'not-found': { status: 404, title: 'Not found' },
  conflict: { status: 409, title: 'Conflict' },
  'session-superseded': { status: 409, title: 'Session superseded' },
  'cursor-of-another-log': { status: 410, title: 'Log was replaced' },
  'state-changed': { status: 412, title: 'Changed since you looked' },
  'state-not-stated': { status: 428, title: 'Say what you decided on' },
  'refused-too-often': { status: 429, title: 'Refused too often' },
};

/** The problem that a refusal is answered with. */
export function problemOf({ code, message, facts }: Refusal): Problem {
  const { faults, details, etag, retryAfterSeconds } = facts;
  return new Problem({
    ...PROBLEMS[code],
    type: problemType(code),
    detail: message,
    extra: { ...(faults === undefined ? {} : { errors: faults }), ...details },
    headers: {
      ...(etag === undefined ? {} : { ETag: etag }),
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }),
    },
  });
}
