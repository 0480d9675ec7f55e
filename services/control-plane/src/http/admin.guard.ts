import { createHash, timingSafeEqual } from 'node:crypto';
import { SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Problem, problemType } from './problem.ts';

const OWN_AUTHENTICATION = 'eci-fleet:own-authentication';

/** The route checks its caller itself (agents), or tells nothing worth hiding (liveness). */
export const OwnAuthentication = (): MethodDecorator & ClassDecorator => SetMetadata(OWN_AUTHENTICATION, true);

/** Operators show the admin token, when one is configured. The comparison takes the same time whatever was sent. */
export class AdminGuard implements CanActivate {
  private readonly expected: Buffer | undefined;

  constructor(adminToken: string | undefined) {
    this.expected = adminToken === undefined ? undefined : digest(adminToken);
  }

  canActivate(context: ExecutionContext): boolean {
    if (this.expected === undefined) return true;
    const own: unknown =
      Reflect.getMetadata(OWN_AUTHENTICATION, context.getHandler()) ??
      Reflect.getMetadata(OWN_AUTHENTICATION, context.getClass());
    if (own === true) return true;
    const header = context.switchToHttp().getRequest<Request>().headers.authorization ?? '';
    const [scheme, token] = header.split(' ', 2);
    if (scheme?.toLowerCase() === 'bearer' && token !== undefined && timingSafeEqual(digest(token), this.expected))
      return true;
    throw new Problem({
      status: 401,
      type: problemType('unauthorized'),
      title: 'Unauthorized',
      detail: 'send the admin token of this control plane as `Authorization: Bearer <token>`',
      headers: { 'WWW-Authenticate': 'Bearer' },
    });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
