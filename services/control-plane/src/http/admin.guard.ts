import { createHash, timingSafeEqual } from 'node:crypto';
import { SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { isLoopback } from '../config.ts';
import { Problem, problemType } from './problem.ts';

const OWN_AUTHENTICATION = 'eci-fleet:own-authentication';

/** The route checks its caller itself (agents), or tells nothing worth hiding (liveness). */
export const OwnAuthentication = (): MethodDecorator & ClassDecorator => SetMetadata(OWN_AUTHENTICATION, true);

/**
 * Operators show the admin token, when one is configured; the comparison takes the same time whatever was sent. Without one the API listens on
 * loopback only, where every web page that somebody on this machine looks at could call it: requests from pages of another origin, or under a
 * name that is not loopback's, are refused.
 */
export class AdminGuard implements CanActivate {
  private readonly expected: Buffer | undefined;

  constructor(adminToken: string | undefined) {
    this.expected = adminToken === undefined ? undefined : digest(adminToken);
  }

  canActivate(context: ExecutionContext): boolean {
    const own: unknown =
      Reflect.getMetadata(OWN_AUTHENTICATION, context.getHandler()) ??
      Reflect.getMetadata(OWN_AUTHENTICATION, context.getClass());
    if (own === true) return true;
    const { headers } = context.switchToHttp().getRequest<Request>();
    if (this.expected === undefined) return fromHere(headers.host, headers.origin);
    const [scheme, token] = (headers.authorization ?? '').split(' ', 2);
    if (scheme?.toLowerCase() === 'bearer' && token !== undefined && timingSafeEqual(digest(token), this.expected)) {
      return true;
    }
    throw new Problem({
      status: 401,
      type: problemType('unauthorized'),
      title: 'Unauthorized',
      detail: 'send the admin token of this control plane as `Authorization: Bearer <token>`',
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  }
}

function fromHere(host: string | undefined, origin: string | undefined): true {
  const named = hostOf(`http://${host ?? ''}`);
  const page = origin === undefined ? undefined : hostOf(origin);
  if (named !== undefined && isLoopback(named.hostname) && (origin === undefined || page?.host === named.host))
    return true;
  throw new Problem({
    status: 403,
    type: problemType('not-from-here'),
    title: 'Forbidden',
    detail:
      'without FLEET_ADMIN_TOKEN this API answers only requests to a loopback address that no page of another origin makes; call it by 127.0.0.1 or localhost',
  });
}

function hostOf(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
