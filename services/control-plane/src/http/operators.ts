import type { NextFunction, Request, Response } from 'express';
import { basicPassword, bearerToken, isFromHere, Token } from '#libs/callers';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import { tooOften } from '../answers/refusal.ts';
import { callerAddress } from './caller-address.ts';
import { FailureLimit } from './failure-limit.ts';
import { Problem, problemType } from './problem.ts';
import { isDocs } from './response-headers.ts';

const ADMIN = 'operator:admin';

/** Wrong tokens of one address in a minute; whoever has more of them is guessing. */
const WRONG_PER_MINUTE = 10;

/**
 * Who may do what operators do. They show the admin token, when one is configured; the comparison takes the same time whatever was sent, and the right
 * one is always let in, however many wrong ones come from the same address. Without one the API listens on loopback only, where every web page that
 * somebody on this machine looks at could call it: requests from pages of another origin, or under a name that is not loopback's, are refused.
 */
export class Operators {
  private readonly expected: Token | undefined;
  private readonly logger: Logger;
  private readonly limit: FailureLimit;
  private readonly said: FailureLimit;
  private readonly refused;

  constructor(parts: {
    readonly adminToken: string | undefined;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly metrics: Metrics;
  }) {
    this.expected = parts.adminToken === undefined ? undefined : new Token(parts.adminToken);
    this.logger = parts.logger;
    this.limit = new FailureLimit({ perMinute: WRONG_PER_MINUTE, clock: parts.clock });
    this.said = new FailureLimit({ perMinute: 1, clock: parts.clock });
    this.refused = parts.metrics.counter(
      'eci_fleet_operators_refused_total',
      'Requests that were refused for want of the admin token, by what they brought: none, wrong, throttled (wrong too often), or not-from-here',
      ['reason'],
    );
  }

  /** Lets an operator in, and returns who it is as actors are called; throws what anybody else is told. */
  admit(request: Request): string {
    if (!this.recognises(request)) throw this.unknown('Bearer');
    // All who have the one token, or this machine, are the same to us.
    return ADMIN;
  }

  /** Whether an operator asks, where strangers have an answer too. Throws for those who try to be one. */
  recognises(request: Request): boolean {
    if (this.expected === undefined) return this.fromHere(request);
    const token = bearerToken(request.headers);
    return token !== undefined && this.accepted(token, request);
  }

  /** The description of the API is for operators, too. A browser asks them for the token as the password of any name; no other route takes it so. */
  readonly guardDocs = (request: Request, _response: Response, next: NextFunction): void => {
    if (!isDocs(request.path)) return next();
    try {
      const password = this.expected === undefined ? undefined : basicPassword(request.headers);
      if (password !== undefined) this.accepted(password, request);
      else if (!this.recognises(request)) throw this.unknown('Basic realm="ECI Fleet", Bearer');
      next();
    } catch (problem) {
      next(problem);
    }
  };

  private accepted(token: string, request: Request): true {
    if (this.expected!.equals(token)) return true;
    const address = callerAddress(request);
    const wait = this.limit.mustWait(address);
    this.refused.inc({ reason: wait === undefined ? 'wrong' : 'throttled' });
    if (this.said.admits(address))
      this.logger.warn('refuse a wrong admin token; more of this address are said once a minute', { address });
    if (wait !== undefined)
      throw tooOften('wrong tokens came from your address too often; the right one is let in at any time', wait);
    this.limit.failed(address);
    throw unauthorized('this is not the admin token of this control plane', 'Bearer error="invalid_token"');
  }

  private unknown(challenge: string): Problem {
    this.refused.inc({ reason: 'none' });
    return unauthorized('send the admin token of this control plane as `Authorization: Bearer <token>`', challenge);
  }

  private fromHere({ headers }: Request): true {
    if (isFromHere(headers)) return true;
    this.refused.inc({ reason: 'not-from-here' });
    throw new Problem({
      status: 403,
      type: problemType('not-from-here'),
      title: 'Forbidden',
      detail:
        'without FLEET_ADMIN_TOKEN this API answers only requests to a loopback address that no page of another origin makes; call it by 127.0.0.1 or localhost',
    });
  }
}

const unauthorized = (detail: string, challenge: string): Problem =>
  new Problem({
    status: 401,
    type: problemType('unauthorized'),
    title: 'Unauthorized',
    detail,
    headers: { 'WWW-Authenticate': challenge },
  });
