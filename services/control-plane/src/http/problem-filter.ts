import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { databaseMayCome } from '#libs/event-store';
import { MessagingError } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import { Refusal } from '../answers/refusal.ts';
import { Problem, problemType } from './problem.ts';
import { problemOf } from './problem-of.ts';
import { notUtf8 } from './readable-request.ts';

/** The one place where errors become answers. What nobody expected is logged and answered without its message. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger: Logger;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const problem = this.problemOf(thrown, request);
    if (response.headersSent) {
      response.end();
      return;
    }
    for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
    response
      .status(problem.status)
      .type('application/problem+json')
      .send(JSON.stringify({ ...problem.toJSON(), instance: request.path }));
  }

  private problemOf(thrown: unknown, request: Request): Problem {
    if (thrown instanceof Refusal) return problemOf(thrown);
    if (thrown instanceof Problem) return thrown;
    if (thrown instanceof HttpException) return fromNest(thrown, request);
    const parser = fromBodyParser(thrown);
    if (parser) return parser;
    this.logger.error('answer a request failed', { method: request.method, path: request.path, error: thrown });
    if (databaseMayCome(thrown) || (thrown instanceof MessagingError && thrown.code === 'unavailable')) {
      return new Problem({
        status: 503,
        type: problemType('unavailable'),
        title: 'Not available now',
        detail: 'a part that this request needs is away; try again in a few seconds',
        headers: { 'Retry-After': '5' },
      });
    }
    return new Problem({
      status: 500,
      type: problemType('internal'),
      title: 'Internal error',
      detail: 'the request failed for a reason that is in the log of the control plane',
    });
  }
}

function fromNest(error: HttpException, request: Request): Problem {
  const status = error.getStatus();
  if (status === 404) {
    return new Problem({
      status,
      type: problemType('unknown-route'),
      title: 'Unknown route',
      detail: `${request.method} ${request.path} is not part of this API; see /api/docs`,
    });
  }
  // Nest repeats the parser's words, and with them the beginning of the body.
  const detail =
    status === 413 ? 'the body is larger than 1 MiB' : 'the request could not be read: its body must be JSON';
  return new Problem({ status, type: problemType('invalid-request'), title: 'Invalid request', detail });
}

/** Errors of the body parser carry the body itself: only what kind they are is said. */
function fromBodyParser(thrown: unknown): Problem | undefined {
  const { type, status } = (thrown ?? {}) as { type?: unknown; status?: unknown };
  if (typeof type !== 'string' || typeof status !== 'number') return undefined;
  if (type === 'entity.parse.failed') {
    return new Problem({
      status: 400,
      type: problemType('invalid-request'),
      title: 'Invalid request',
      detail: 'the body is not a JSON object',
    });
  }
  if (type === 'entity.too.large') {
    return new Problem({
      status: 413,
      type: problemType('too-large'),
      title: 'Too large',
      detail: 'the body is larger than 1 MiB',
    });
  }
  if (status < 400 || status > 499) return undefined;
  if (type === 'charset.unsupported') return notUtf8();
  return new Problem({
    status,
    type: problemType('invalid-request'),
    title: 'Invalid request',
    detail:
      type === 'encoding.unsupported'
        ? 'the body could not be read: send it without Content-Encoding, or as gzip, deflate or br'
        : 'the body could not be read: it is cut, or not what its Content-Encoding says',
  });
}
