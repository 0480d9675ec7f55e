import type { Type } from '@nestjs/common';
import { METHOD_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { openPlaces } from './strict-schema.ts';

interface DeclaredArgument {
  readonly kind: RouteParamtypes;
  readonly schema: unknown;
}

/** What a handler says that it reads of a request. */
export function declaredArguments(controller: Type, handler: string): readonly DeclaredArgument[] {
  const known = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler) ?? {}) as Record<
    string,
    { readonly schema?: unknown }
  >;
  return Object.entries(known).map(([key, { schema }]) => ({ kind: Number(key.split(':')[0]), schema }));
}

export const takesBody = (controller: Type, handler: string): boolean =>
  declaredArguments(controller, handler).some(({ kind }) => kind === RouteParamtypes.BODY);

export const takesQuery = (controller: Type, handler: string): boolean =>
  declaredArguments(controller, handler).some(({ kind }) => kind === RouteParamtypes.QUERY);

/**
 * Every body and every query is declared by a schema that refuses what it does not know: a mistyped member must never be read as one that is
 * absent. Throws, so that no control plane starts with another one.
 */
export function requireStrictSchemas(controllers: readonly Type[]): void {
  for (const controller of controllers) {
    for (const handler of handlersOf(controller)) {
      for (const { kind, schema } of declaredArguments(controller, handler)) {
        if (kind !== RouteParamtypes.BODY && kind !== RouteParamtypes.QUERY) continue;
        const where = `${controller.name}.${handler}: its ${kind === RouteParamtypes.BODY ? 'body' : 'query'}`;
        if (schema === undefined) throw new Error(`${where} has no schema`);
        const open = openPlaces(schema);
        if (open.length > 0) throw new Error(`${where} takes members that it does not know at ${open.join(', ')}`);
      }
    }
  }
}

function handlersOf(controller: Type): readonly string[] {
  const prototype = controller.prototype as Record<string, unknown>;
  return Object.getOwnPropertyNames(prototype).filter(
    (name) => name !== 'constructor' && Reflect.hasMetadata(METHOD_METADATA, prototype[name] as object),
  );
}
