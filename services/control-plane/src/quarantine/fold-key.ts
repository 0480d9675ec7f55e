import { createHash } from 'node:crypto';
import type { QuarantinedMessage } from '../intake/ports.ts';

/**
 * The same for messages that say the same in the same place for the same reason, hexadecimal: an agent that is asked for a pod again seals its intent
 * anew, with another number, time and session, and fresh tokens of the pod. Of what cannot be read the bytes are compared.
 */
export function foldKey({ topic, partition, key, sender, reason, clear, original }: QuarantinedMessage): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([topic, partition, key, sender.proven, sender.clusterId ?? null, reason]));
  const body = clear === undefined ? undefined : bodyOf(clear);
  if (body !== undefined) hash.update(`\nbody\n${body}`);
  else if (original !== null) hash.update('\nbytes\n').update(original);
  return hash.digest('hex');
}

function bodyOf(clear: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(clear);
    if (!isObject(parsed) || !isObject(parsed['body'])) return undefined;
    const { body } = parsed;
    const resolved = body['resolved'];
    return JSON.stringify(isObject(resolved) ? { ...body, resolved: { ...resolved, tokens: undefined } } : body);
  } catch {
    // No JSON, or nested deeper than it can be written.
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
