import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const SOURCES = new URL('../../../services/control-plane/src/', import.meta.url).pathname;

/** Names of the loops that the sources of the control plane begin, and names that they set items aside under. */
export async function loopsOfTheProduct(): Promise<{
  readonly loops: ReadonlySet<string>;
  readonly setAside: ReadonlySet<string>;
}> {
  const loops = new Set<string>();
  const setAside = new Set<string>();
  for (const entry of await readdir(SOURCES, { recursive: true })) {
    if (!entry.endsWith('.ts') || entry.endsWith('.spec.ts')) continue;
    const text = await readFile(join(SOURCES, entry), 'utf8');
    const names = [...text.matchAll(/(?:\bname(?::| =)|loop\() ?['`]([a-z-]+)['`$ ]/g)].map(([, name]) => name!);
    for (const [, name] of text.matchAll(/loop: ['`]([a-z -]+)['`$]/g)) setAside.add(name!.trim());
    // Under the name that a constant beside the loop has.
    if (/\bloop: name\b/.test(text)) for (const name of names) setAside.add(name);
    if (/new (Supervised)?Loop\(/.test(text) || text.includes('startAudit(')) for (const name of names) loops.add(name);
  }
  return { loops, setAside };
}
