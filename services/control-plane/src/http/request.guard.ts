import { SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { cleanText, identifier, unstorablePlace } from '#libs/contracts';
import { invalid, pointerOf, type FieldFault } from '../answers/refusal.ts';
import { takesBody, takesQuery } from './declared.ts';

const ANY_QUERY = 'eci-fleet:any-query';
/** No body of ours is deeper by far; what walks a value may then call itself. */
const MAX_DEPTH = 32;
/** Cursors are the longest. */
const QUERY_TEXT = identifier(2_000, 0);
const PATH_TEXT = identifier(400);

/** The route reads no query and does not mind one: probes and scrapers add what they like. */
export const AnyQuery = (): MethodDecorator & ClassDecorator => SetMetadata(ANY_QUERY, true);

/**
 * The one rule for all that a request carries, before any handler sees it: every path parameter and query value is text without control
 * characters, every text in a body can be kept by PostgreSQL, and a route that declares no body or no query is sent none.
 */
export class RequestGuard implements CanActivate {
  canActivate(context: ExecutionContext): true {
    const request = context.switchToHttp().getRequest<Request>();
    const [controller, handler] = [context.getClass(), context.getHandler().name];
    const faults = [...pathFaults(request), ...queryFaults(request)];
    if (!takesQuery(controller, handler) && Reflect.getMetadata(ANY_QUERY, controller) !== true)
      faults.push(...Object.keys(request.query).map((name) => unknownParameter(name)));
    faults.push(...bodyFaults(request.body, takesBody(controller, handler)));
    if (faults.length > 0) throw invalid(faults);
    return true;
  }
}

const unknownParameter = (name: string): FieldFault => ({
  parameter: shown(name),
  detail: 'is not known here: this route takes no query',
});

function pathFaults({ params }: Request): FieldFault[] {
  return Object.entries(params).flatMap(([parameter, value]) => {
    const { error } = PATH_TEXT.safeParse(value);
    return error ? [{ parameter, detail: error.issues[0]?.message ?? 'is no text' }] : [];
  });
}

function queryFaults({ query }: Request): FieldFault[] {
  return Object.entries(query).flatMap(([name, value]) =>
    [name, value].flat().flatMap((text) => {
      const { error } = QUERY_TEXT.safeParse(text);
      return error ? [{ parameter: shown(name), detail: error.issues[0]?.message ?? 'is no text' }] : [];
    }),
  );
}

function bodyFaults(body: unknown, taken: boolean): FieldFault[] {
  if (typeof body !== 'object' || body === null) return [];
  if (!taken)
    return Object.keys(body).length === 0 ? [] : [{ pointer: '', detail: 'this route takes no body: send none' }];
  // Before anything else looks at it: a path of thousands of segments costs as many times its own length.
  if (isDeeperThan(body, MAX_DEPTH))
    return [{ pointer: '', detail: `the body is nested more than ${MAX_DEPTH} levels deep` }];
  const place = unstorablePlace(body);
  return place === undefined
    ? []
    : [
        {
          pointer: pointerOf(place),
          detail: 'holds U+0000 or half of a surrogate pair, which cannot be kept: leave it out',
        },
      ];
}

function isDeeperThan(value: object, levels: number): boolean {
  let level: object[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= levels) return true;
    level = level.flatMap((at) =>
      Object.values(at).filter((part): part is object => typeof part === 'object' && part !== null),
    );
  }
  return false;
}

const shown = (name: string): string =>
  cleanText(name)
    .replaceAll(/\p{Cc}/gu, '\uFFFD')
    .slice(0, 100);
