import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { CallHandler, ExecutionContext, NestInterceptor, Type } from '@nestjs/common';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { Request } from 'express';
import { map, type Observable } from 'rxjs';
import { invalid } from '../answers/refusal.ts';
import type { MasterKey } from '../keys/master-key.ts';
import { declaredArguments } from './declared.ts';
import { memberNames } from './strict-schema.ts';

/** 128 bits of the MAC. */
const MAC_BYTES = 16;

/** One list as one caller asked for it: what a cursor of it is good for. */
interface CursorScope {
  /** The route as it was declared, with `:names` of its parameters. */
  readonly route: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** The query without `cursor` and `limit`. */
  readonly filter: Readonly<Record<string, unknown>>;
}

/** The same on every replica. */
export const cursorKey = (masterKey: MasterKey): KeyObject => masterKey.derived('page cursors');

/**
 * The cursor that a list made, and a MAC over it, the list and the filter. A cursor grants nothing, but one that we
 * did not make, or made for another list or filter, would silently leave out what its reader asks for.
 */
export function signCursor(key: KeyObject, scope: CursorScope, cursor: string): string {
  return `${cursor}.${macOf(key, scope, cursor).toString('base64url')}`;
}

/** The cursor within; undefined when it was not made for this. */
function verifyCursor(key: KeyObject, scope: CursorScope, signed: string): string | undefined {
  const [cursor = '', mac = '', ...more] = signed.split('.');
  const given = Buffer.from(mac, 'base64url');
  if (more.length > 0 || given.length !== MAC_BYTES || given.toString('base64url') !== mac) return undefined;
  return timingSafeEqual(given, macOf(key, scope, cursor)) ? cursor : undefined;
}

function macOf(key: KeyObject, { route, params, filter }: CursorScope, cursor: string): Buffer {
  const text = JSON.stringify([route, sorted(params), sorted(filter), cursor]);
  return createHmac('sha256', key).update(text).digest().subarray(0, MAC_BYTES);
}

const sorted = (named: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] =>
  Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1));

/** Signs the cursor of every page that goes out, and lets only such come in; the lists themselves know nothing of it. */
export class SignedCursors implements NestInterceptor {
  private readonly key: KeyObject;
  private readonly lists = new WeakMap<object, boolean>();

  constructor(masterKey: MasterKey) {
    this.key = cursorKey(masterKey);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (!this.isList(context.getClass(), context.getHandler())) return next.handle();
    const request = context.switchToHttp().getRequest<Request>();
    const { cursor, limit: _, ...filter } = request.query;
    const scope = { route: (request.route as { readonly path: string }).path, params: request.params, filter };
    if (cursor !== undefined) {
      const made = typeof cursor === 'string' ? verifyCursor(this.key, scope, cursor) : undefined;
      if (made === undefined) throw notOurs();
      // Express reads the query anew each time that it is asked for it.
      Object.defineProperty(request, 'query', { value: { ...request.query, cursor: made } });
    }
    return next.handle().pipe(map((page: unknown) => this.signed(page, scope)));
  }

  private signed(page: unknown, scope: CursorScope): unknown {
    const { nextCursor } = (page ?? {}) as { readonly nextCursor?: string };
    return nextCursor === undefined
      ? page
      : { ...(page as object), nextCursor: signCursor(this.key, scope, nextCursor) };
  }

  /** Whether the route declares a cursor. */
  private isList(controller: Type, handler: { readonly name: string }): boolean {
    const known = this.lists.get(handler);
    if (known !== undefined) return known;
    const declares = declaredArguments(controller, handler.name).some(
      ({ kind, schema }) => kind === RouteParamtypes.QUERY && memberNames(schema).includes('cursor'),
    );
    this.lists.set(handler, declares);
    return declares;
  }
}

const notOurs = () =>
  invalid([
    {
      parameter: 'cursor',
      detail:
        'is not a cursor of this list with this filter: send it with the filter of the page that gave it, or leave it out to begin at the first page',
    },
  ]);
