/**
 * Why something is refused, in a word for programs. What that is where it was asked (status and problem of HTTP, exit code) is said there alone:
 * `http/problem-of.ts`, `command-line/run-command.ts`.
 */
export type RefusalCode =
  | 'invalid-request'
  | 'not-found'
  | 'conflict'
  /** It cannot be undone, and the state that was decided on was not said. */
  | 'state-not-stated'
  /** The state that was decided on is another one by now. */
  | 'state-changed'
  | 'refused-too-often'
  | 'cursor-of-another-log'
  | 'account-refused'
  | 'agent-not-authenticated'
  | 'join-token-unknown'
  | 'agent-key-retired'
  | 'cluster-revoked'
  | 'cluster-fingerprint-mismatch'
  | 'session-superseded';

/** What is wrong with one part of what was asked. */
export interface FieldFault {
  /** JSON pointer into the body, or the name of a parameter. */
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
}

interface Facts {
  /** Parts that are wrong; default: none in particular. */
  readonly faults?: readonly FieldFault[];
  /** What programs read of it beside the code; default: nothing. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Tag of the state as it is now. */
  readonly etag?: string;
  /** Before that it is refused again. */
  readonly retryAfterSeconds?: number;
}

/** What was asked is not done, and nobody is at fault but who asks. The message says what was wrong and what to do; it never holds a secret. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly facts: Facts;

  constructor(code: RefusalCode, message: string, facts: Facts = {}) {
    super(message);
    this.code = code;
    this.facts = facts;
  }
}

/** JSON pointer (RFC 6901) of a place in a body; long names are cut. */
export const pointerOf = (path: readonly (string | number)[]): string =>
  path
    .map((segment) => `/${String(segment).slice(0, 100).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');

/** Faults that one refusal names; whoever sends thousands is not told all of them. */
const MAX_FAULTS = 50;

export function invalid(all: readonly FieldFault[]): Refusal {
  const faults = all.slice(0, MAX_FAULTS);
  const more = all.length - faults.length;
  const said = faults.map(({ pointer, parameter, detail }) => `${pointer || parameter || 'request'}: ${detail}`);
  return new Refusal('invalid-request', `${said.join('; ')}${more > 0 ? `; and ${more} more` : ''}`, { faults });
}

export const notFound = (what: string): Refusal => new Refusal('not-found', what);

export const conflict = (why: string): Refusal => new Refusal('conflict', why);

/** A limit was reached; who waits as long may try again. */
export const tooOften = (why: string, seconds: number): Refusal =>
  new Refusal('refused-too-often', `${why}: try again in ${seconds} s`, { retryAfterSeconds: seconds });

export const stateChanged = (init: {
  /** What was seen, and what is there now. */
  readonly what: string;
  /** Where it is shown. */
  readonly read: string;
  readonly etag: string;
  readonly details?: Readonly<Record<string, unknown>>;
}): Refusal =>
  new Refusal('state-changed', `${init.what}: look again with ${init.read}; nothing was done`, {
    etag: init.etag,
    ...(init.details === undefined ? {} : { details: init.details }),
  });
