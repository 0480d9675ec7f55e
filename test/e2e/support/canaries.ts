import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A value unlike any other, of letters and digits only. */
export function newCanary(): string {
  return `canary${randomBytes(12).toString('hex')}`;
}

/** Where something is looked for. */
export interface Haystack {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * Every form in which a value may have been written down: raw, in hex (as PostgreSQL shows bytes), URL-encoded, and in base64 of both
 * alphabets as part of a longer text: there it looks different for each of the three offsets, and the characters at its ends also depend
 * on its neighbours, so they are left away.
 */
export function formsOf(value: string): ReadonlyMap<string, Buffer> {
  const forms = new Map<string, Buffer>();
  const bytes = Buffer.from(value, 'utf8');
  forms.set('raw', bytes);
  forms.set('hex', Buffer.from(bytes.toString('hex')));
  const escaped = encodeURIComponent(value);
  if (escaped !== value) {
    forms.set('URL-encoded', Buffer.from(escaped));
    forms.set('URL-encoded twice', Buffer.from(encodeURIComponent(escaped)));
  }
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    const whole = Math.floor((padded.length * 8) / 6);
    const from = Math.ceil((offset * 8) / 6);
    for (const alphabet of ['base64', 'base64url'] as const) {
      const middle = padded.toString(alphabet).slice(from, whole);
      forms.set(`${alphabet} at offset ${offset}`, Buffer.from(middle));
    }
  }
  return forms;
}

/** `<form> in <haystack>` for every place where the value was found. */
export function findIn(haystacks: readonly Haystack[], value: string): string[] {
  const found: string[] = [];
  for (const [form, needle] of formsOf(value))
    for (const { name, bytes } of haystacks) if (bytes.includes(needle)) found.push(`${form} in ${name}`);
  return found;
}

/** Every file below a folder, whole. */
export async function filesBelow(folder: string): Promise<Haystack[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = await Promise.all(
    // A server that works removes files while we look at it.
    files.map((file) =>
      readFile(file).then(
        (bytes) => [{ name: file.slice(folder.length + 1), bytes }],
        () => [],
      ),
    ),
  );
  return read.flat();
}
