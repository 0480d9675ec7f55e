export interface ControlAnswer {
  readonly status: number;
  readonly body: unknown;
}

interface Request {
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** The path after the route's own, decoded; empty when there is none. */
  readonly rest: string;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/control/v1`; a trailing `/*` takes one more part. */
  readonly path: string;
  readonly what: string;
  readonly body?: string;
  readonly run: (request: Request) => unknown;
}

/** An answer other than 200. */
export class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
