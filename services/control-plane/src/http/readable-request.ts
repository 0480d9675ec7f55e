import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { invalid } from '../answers/refusal.ts';
import { Problem, problemType } from './problem.ts';

/** Names and ids of ours are far shorter; what is kept of a path must fit into an index. */
const MAX_PATH_BYTES = 1_024;

/**
 * Refuses what could only be read by guessing, before anything is parsed: a body that is not said to be JSON (it would be dropped, and the
 * request carried out as if it had none), and an address whose percent-encoding is no UTF-8.
 */
export function readableRequest(request: Request, _response: Response, next: NextFunction): void {
  const [path = '', ...query] = request.url.split('?');
  if (!isDecodable(path) || !isDecodable(query.join('?').replaceAll('+', ' ')))
    return next(invalid([{ parameter: 'address', detail: 'its percent-encoding is broken: encode UTF-8' }]));
  if (path.length > MAX_PATH_BYTES) return next(pathTooLong());
  if (hasBody(request) && !isJson(request)) return next(notJson());
  next();
}

/** How JSON bodies are read. */
export const JSON_BODY = {
  limit: '1mb',
  type: isJson,
  /** A byte that is no UTF-8 would silently become another character. */
  verify: (_request: IncomingMessage, _response: unknown, body: Buffer, encoding: string): void => {
    if (encoding !== 'utf-8' || !isUtf8(body)) throw notUtf8();
  },
};

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;

function isJson({ headers }: IncomingMessage): boolean {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  return /^application\/([a-z0-9!#$&^_.-]+\+)?json$/.test(type.trim().toLowerCase());
}

const notJson = (): Problem =>
  new Problem({
    status: 415,
    type: problemType('not-json'),
    title: 'Body is not JSON',
    detail: 'send the body as JSON with `Content-Type: application/json`, or send none; nothing was done',
  });

export const notUtf8 = (): Problem =>
  new Problem({
    status: 415,
    type: problemType('not-utf-8'),
    title: 'Body is not UTF-8',
    detail: 'send the body in UTF-8, with `Content-Type: application/json` and no other charset; nothing was done',
  });

const pathTooLong = (): Problem =>
  new Problem({
    status: 414,
    type: problemType('path-too-long'),
    title: 'Path too long',
    detail: `the path has more than ${MAX_PATH_BYTES} bytes: no id of this API is so long`,
  });
