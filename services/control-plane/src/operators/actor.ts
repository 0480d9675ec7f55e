import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

const actors = new WeakMap<Request, string>();

/** Whoever let the request in says who asks. */
export function knownAs(request: Request, actor: string): void {
  actors.set(request, actor);
}

/** Parameter of a route: who asks. Throws where nobody was let in by name. */
export const Actor = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const actor = actors.get(context.switchToHttp().getRequest<Request>());
  if (actor === undefined) throw new Error('the route was entered by somebody unknown');
  return actor;
});
