import { describe, expect, it } from 'vitest';
import { SESSION_PROBLEMS } from '#libs/contracts';
import { invalid, Refusal, stateChanged, tooOften, type RefusalCode } from '../answers/refusal.ts';
import { problemOf } from './problem-of.ts';

/** Clients read them: a status and a title that were given once stay. */
const SAID: Readonly<Record<RefusalCode, readonly [status: number, title: string]>> = {
  'invalid-request': [400, 'Invalid request'],
  'account-refused': [400, 'The account cannot be set up so'],
  'agent-not-authenticated': [401, 'Agent not authenticated'],
  'join-token-unknown': [401, 'Join token refused'],
  'agent-key-retired': [403, 'Key retired'],
  'cluster-revoked': [403, 'Cluster revoked'],
  'cluster-fingerprint-mismatch': [403, 'Another cluster'],
  'not-found': [404, 'Not found'],
  conflict: [409, 'Conflict'],
  'session-superseded': [409, 'Session superseded'],
  'cursor-of-another-log': [410, 'Log was replaced'],
  'state-changed': [412, 'Changed since you looked'],
  'state-not-stated': [428, 'Say what you decided on'],
  'refused-too-often': [429, 'Refused too often'],
};
const CODES = Object.keys(SAID) as RefusalCode[];

describe('the problem of a refusal', () => {
  it.each(CODES)('%s is the same as ever', (code) => {
    const [status, title] = SAID[code];
    expect(problemOf(new Refusal(code, 'why', { details: { now: 1 } })).toJSON()).toEqual({
      type: `urn:eci-fleet:problem:${code}`,
      title,
      status,
      detail: 'why',
      now: 1,
    });
  });

  it('has every type that agents know', () => {
    const types = CODES.map((code) => problemOf(new Refusal(code, '')).type);
    expect(types).toEqual(expect.arrayContaining(Object.values(SESSION_PROBLEMS)));
  });

  it('names what is wrong, and not thousands of it', () => {
    const fault = { pointer: '/a', detail: 'is too long' };
    expect(problemOf(invalid([fault, { parameter: 'limit', detail: 'is no number' }])).toJSON()).toMatchObject({
      detail: '/a: is too long; limit: is no number',
      errors: [fault, { parameter: 'limit', detail: 'is no number' }],
    });
    const many = problemOf(invalid(Array.from({ length: 1_000 }, () => fault)));
    expect(many.extra['errors']).toHaveLength(50);
    expect(many.message).toMatch(/; and 950 more$/);
  });

  it('says the state that is there now, and when to come again', () => {
    const changed = problemOf(stateChanged({ what: 'it is gone', read: 'GET /x', etag: '"2"' }));
    expect([changed.headers, changed.message]).toEqual([
      { ETag: '"2"' },
      'it is gone: look again with GET /x; nothing was done',
    ]);
    expect(problemOf(tooOften('too many', 7))).toMatchObject({
      headers: { 'Retry-After': '7' },
      message: 'too many: try again in 7 s',
    });
  });
});
