import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { CreateParameters } from './create-fields.ts';
import type { FrozenCreate } from './eci.ts';
import { CreateContainerGroupRequest } from './sdk.ts';

/** RFC 8785 text, so that the same parameters are the same bytes on every machine and in every version. */
export function freezeParameters(
  parameters: CreateParameters,
  place: { readonly accountId: string; readonly region: string; readonly clientToken: string },
): FrozenCreate {
  const request = canonicalize(parameters);
  if (request === undefined) throw new Error('a create without parameters cannot be frozen');
  return { ...place, request, digest: createHash('sha256').update(request).digest('hex') };
}

/** Refuses text that is not what was frozen: sending other parameters under a used client token is what must never happen. */
export function thawRequest(frozen: FrozenCreate): {
  readonly request: InstanceType<typeof CreateContainerGroupRequest>;
  readonly queries: Record<string, string>;
  readonly secrets: readonly string[];
} {
  if (createHash('sha256').update(frozen.request).digest('hex') !== frozen.digest) {
    throw new Error(`the frozen create ${frozen.clientToken} is damaged: its digest does not fit its request`);
  }
  const { fields, queries } = JSON.parse(frozen.request) as {
    fields: Record<string, unknown>;
    queries: Record<string, string>;
  };
  // Always the class, never a plain object: only the class gives nested fields their names on the wire.
  return { request: new CreateContainerGroupRequest(fields), queries, secrets: secretsOf(fields) };
}

const SECRET_FIELDS = new Set(['value', 'password', 'content']);
/** Shorter ones (`true`, `8080`) would only make messages unreadable. */
const SHORTEST_SECRET = 6;

/** Values that a careless error message could repeat: env values, registry passwords, file contents. */
function secretsOf(fields: unknown): string[] {
  if (Array.isArray(fields)) return fields.flatMap(secretsOf);
  if (fields === null || typeof fields !== 'object') return [];
  return Object.entries(fields).flatMap(([key, value]) => {
    // Tags are public, and their values are ids that messages should keep.
    if (key === 'tag') return [];
    if (typeof value !== 'string') return secretsOf(value);
    return SECRET_FIELDS.has(key) && value.length >= SHORTEST_SECRET ? [value] : [];
  });
}
