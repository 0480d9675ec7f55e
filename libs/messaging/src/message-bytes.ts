import type { OutgoingMessage } from './messaging.ts';

/** Bytes of key, value and headers, with a guess for a record's framing. */
export function messageBytes({ key, value, headers }: OutgoingMessage): number {
  let size = 64 + Buffer.byteLength(key) + (value?.byteLength ?? 0);
  for (const [name, text] of Object.entries(headers ?? {}))
    size += 8 + Buffer.byteLength(name) + Buffer.byteLength(text);
  return size;
}
