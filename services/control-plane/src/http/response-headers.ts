import type { NextFunction, Request, Response } from 'express';

/** Where the description of the API is served, with all that belongs to its pages. */
export const DOCS_PATH = 'api/docs';

export const isDocs = (path: string): boolean => path.toLowerCase().startsWith(`/${DOCS_PATH}`);

/** An answer is data: no browser runs, shows or frames anything of it. */
const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/** The pages of the description take everything from here; they set styles by themselves. */
const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/**
 * What every answer says to browsers and to caches on its way, whatever it holds and whether it is an error. Nothing is kept by a cache: answers
 * hold tokens and keys, and what is true of a fleet is not true for long.
 */
export function responseHeaders({ tls }: { readonly tls: boolean }) {
  return (request: Request, response: Response, next: NextFunction): void => {
    response.set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': isDocs(request.path) ? DOCS_POLICY : DATA_POLICY,
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      ...(tls ? { 'Strict-Transport-Security': 'max-age=31536000' } : {}),
    });
    next();
  };
}
