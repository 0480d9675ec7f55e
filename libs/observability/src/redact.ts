import { describeError } from './describe-error.ts';

// Compared without case, `-` and `_`, as a part of the key: `ECI_SECRET_KEY`, `accessKeySecret`, `X-Acs-Security-Token` are all caught.
const SECRET_PARTS = [
  'secret',
  'password',
  'passwd',
  'token',
  'authorization',
  'credential',
  'privatekey',
  'masterkey',
  'envelopekey',
  'statuskey',
  'apikey',
  'cookie',
  'assertion',
  'signature',
];
// Names that hold a part of the list and are no secret.
const PUBLIC_NAMES = new Set(['clienttoken', 'nexttoken', 'secretname', 'credentialid']);

export const REDACTED = '[redacted]';

function isSecretName(key: string): boolean {
  const name = key.replace(/[-_.]/g, '').toLowerCase();
  if (PUBLIC_NAMES.has(name)) return false;
  return SECRET_PARTS.some((part) => name.includes(part));
}

const MAX_DEPTH = 6;
const MAX_ITEMS = 100;

/** A copy that may be logged: values under secret names replaced, errors described, bytes and deep or long things cut. Never throws. */
export function redact(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return describeError(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item) => redact(item, depth + 1));
    return value.length > MAX_ITEMS ? [...items, `… ${value.length - MAX_ITEMS} more`] : items;
  }
  if (value instanceof Map) return redact(Object.fromEntries(value), depth);
  if (value instanceof Set) return redact([...value], depth);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    // Absent, yes, no and how many are worth knowing and give nothing away.
    const harmless = item == null || typeof item === 'boolean' || typeof item === 'number';
    copy[key] = isSecretName(key) && !harmless ? REDACTED : redact(item, depth + 1);
  }
  return copy;
}
