/** An answer of RFC 9457, for what concerns HTTP alone; whoever else refuses throws a `Refusal`. The filter writes it. Never put a secret into `detail`. */
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
