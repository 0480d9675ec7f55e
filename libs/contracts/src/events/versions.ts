import type { z } from 'zod';
import type { JsonObject } from '#libs/domain';
import { checkOf, type Check } from './quick-check.ts';

/** The next version of an event's data. Pure, total for what its own version's schema allowed, and never changed once it was released. */
export type Upcaster = (data: JsonObject) => JsonObject;

/** How one type of stored event is read. */
interface EventVersions {
  /** What its newest version must be. Fields that it does not name are kept, and not looked at: new ones are optional. */
  readonly schema: z.ZodType;
  /** The same, and fast. */
  readonly isValid: Check;
  /** From version 1 to 2, from 2 to 3 and so on; their number and one is the newest version. */
  readonly upcasters: readonly Upcaster[];
}

/** Every type of event of one kind of stream. */
export type EventTypes<T extends string = string> = Readonly<Record<T, EventVersions>>;

/** A schema of what the domain says. What may be absent there may be undefined here. */
export type Checked<T> = z.ZodType<Loose<T>>;
type Loose<T> = T extends object
  ? string extends keyof T
    ? T
    : { readonly [K in keyof T]: Loose<T[K]> | undefined }
  : T;

/** `upcasters`: of the types that have more than one version. */
export function eventTypes<T extends string>(
  schemas: Readonly<Record<T, z.ZodType>>,
  upcasters: Partial<Record<T, readonly Upcaster[]>> = {},
): EventTypes<T> {
  const types = Object.entries<z.ZodType>(schemas).map(
    ([type, schema]) => [type, { schema, isValid: checkOf(schema), upcasters: upcasters[type as T] ?? [] }] as const,
  );
  return Object.fromEntries(types) as EventTypes<T>;
}

/**
 * What a stored event says in the words of today. `unknown`: its type, or this version of it, is newer than this code. `broken`: it is not what its
 * version must be; `at` is the place in its data, `why` holds none of its values.
 */
export type ReadEvent =
  | { readonly kind: 'known'; readonly data: JsonObject }
  | { readonly kind: 'unknown'; readonly was: string }
  | { readonly kind: 'broken'; readonly at: string; readonly why: string };

/** The newest version of a type, 0 for one that is not known. */
export const newestVersion = (types: EventTypes, type: string): number =>
  Object.hasOwn(types, type) ? types[type]!.upcasters.length + 1 : 0;

/** Brings a stored event's data forward to its newest version, and checks it. */
export function readEvent(
  types: EventTypes,
  event: { readonly type: string; readonly schemaVersion: number; readonly data: JsonObject },
): ReadEvent {
  const { type, schemaVersion } = event;
  const newest = newestVersion(types, type);
  if (newest === 0) return { kind: 'unknown', was: schemaVersion === 1 ? type : named(type, schemaVersion) };
  if (schemaVersion > newest) return { kind: 'unknown', was: named(type, schemaVersion) };
  const { schema, isValid, upcasters } = types[type]!;
  let { data } = event;
  for (let version = schemaVersion; version < newest; version++) data = upcasters[version - 1]!(data);
  if (isValid(data)) return { kind: 'known', data };
  const checked = schema.safeParse(data);
  if (checked.success) return { kind: 'known', data };
  const [issue] = checked.error.issues;
  return {
    kind: 'broken',
    at: (issue?.path ?? []).map((part) => `/${String(part)}`).join(''),
    why: issue?.code ?? 'invalid',
  };
}

const named = (type: string, schemaVersion: number): string => `${type} (schema ${schemaVersion})`;
