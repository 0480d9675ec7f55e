import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A token that callers show. Only its digest is kept. */
export class Token {
  private readonly expected: Buffer;

  constructor(token: string) {
    this.expected = digest(token);
  }

  /** One that nobody guesses, in characters that need no escape in a URL. */
  static random(): string {
    return randomBytes(32).toString('base64url');
  }

  equals(given: string): boolean {
    return timingSafeEqual(digest(given), this.expected);
  }
}

/** The token of `Authorization: Bearer <token>`. */
export function bearerToken({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  return /^bearer +(\S+)$/i.exec(authorization)?.[1];
}

/** The password of `Authorization: Basic`, as browsers and URLs of the form `http://name:password@host` send it, under any name. */
export function basicPassword({ authorization = '' }: IncomingHttpHeaders): string | undefined {
  const pair = /^basic +(\S+)$/i.exec(authorization)?.[1];
  return pair === undefined ? undefined : Buffer.from(pair, 'base64').toString('utf8').split(':').slice(1).join(':');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
