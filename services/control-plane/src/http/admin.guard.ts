import { SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { knownAs } from '../operators/actor.ts';
import type { Operators } from './operators.ts';

const OWN_AUTHENTICATION = 'eci-fleet:own-authentication';

/** The route checks its caller itself (agents), or tells strangers nothing worth hiding (health). */
export const OwnAuthentication = (): MethodDecorator & ClassDecorator => SetMetadata(OWN_AUTHENTICATION, true);

export function authenticatesItself(context: Pick<ExecutionContext, 'getHandler' | 'getClass'>): boolean {
  const own: unknown =
    Reflect.getMetadata(OWN_AUTHENTICATION, context.getHandler()) ??
    Reflect.getMetadata(OWN_AUTHENTICATION, context.getClass());
  return own === true;
}

/** Every route is for operators, unless it says otherwise. */
export class AdminGuard implements CanActivate {
  private readonly operators: Operators;

  constructor(operators: Operators) {
    this.operators = operators;
  }

  canActivate(context: ExecutionContext): true {
    if (!authenticatesItself(context)) {
      const request = context.switchToHttp().getRequest<Request>();
      knownAs(request, this.operators.admit(request));
    }
    return true;
  }
}
