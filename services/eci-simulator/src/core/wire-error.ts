/** A refusal as the cloud words it: `status` is the HTTP status, `code` the error code of the ECI error-code pages. */
export class WireError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function invalid(message: string, code = 'InvalidParameter'): WireError {
  return new WireError(code, 400, message);
}

export function missing(name: string): WireError {
  return new WireError('MissingParameter', 400, `The parameter ${name} is required.`);
}
