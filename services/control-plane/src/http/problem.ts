/** An answer of RFC 9457. Throw it anywhere behind a controller; the filter at the rim writes it. Never put a secret into `detail`. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly status: number;
  readonly type: string;
  readonly title: string;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(init: {
    readonly status: number;
    readonly type: string;
    readonly title: string;
    /** What was wrong here, and what to do. */
    readonly detail: string;
    readonly extra?: Readonly<Record<string, unknown>>;
    readonly headers?: Readonly<Record<string, string>>;
  }) {
    super(init.detail);
    this.status = init.status;
    this.type = init.type;
    this.title = init.title;
    this.extra = init.extra ?? {};
    this.headers = init.headers ?? {};
  }

  /** Body as it travels (`application/problem+json`). */
  toJSON(): Record<string, unknown> {
    return { ...this.extra, type: this.type, title: this.title, status: this.status, detail: this.message };
  }
}

/** Type of a problem of ours. */
export const problemType = (name: string): string => `urn:eci-fleet:problem:${name}`;

export interface FieldFault {
  /** JSON pointer into the body, or the name of a query parameter. */
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
}

/** JSON pointer (RFC 6901) of a place in a body; long names are cut. */
export const pointerOf = (path: readonly (string | number)[]): string =>
  path
    .map((segment) => `/${String(segment).slice(0, 100).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');

/** Faults that one answer names; whoever sends thousands is not told all of them. */
const MAX_FAULTS = 50;

export const notFound = (what: string): Problem =>
  new Problem({ status: 404, type: problemType('not-found'), title: 'Not found', detail: what });

export const conflict = (detail: string): Problem =>
  new Problem({ status: 409, type: problemType('conflict'), title: 'Conflict', detail });

/** A limit was reached; who waits as long may try again. */
export const tooOften = (why: string, seconds: number): Problem =>
  new Problem({
    status: 429,
    type: problemType('refused-too-often'),
    title: 'Refused too often',
    detail: `${why}: try again in ${seconds} s`,
    headers: { 'Retry-After': String(seconds) },
  });

export function invalid(faults: readonly FieldFault[]): Problem {
  const errors = faults.slice(0, MAX_FAULTS);
  const more = faults.length - errors.length;
  return new Problem({
    status: 400,
    type: problemType('invalid-request'),
    title: 'Invalid request',
    detail: `${errors.map((e) => `${e.pointer || e.parameter || 'request'}: ${e.detail}`).join('; ')}${more > 0 ? `; and ${more} more` : ''}`,
    extra: { errors },
  });
}
