import { mkdir, open, readdir, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { ArchiveDiffers, type SealArchive } from './seal-archive.ts';
import { isWhole, sealFromEvent, sealMessage } from './seal-message.ts';
import { rootOf, type FullSeal } from './seal.ts';

/** Files of one sub-folder. */
const FILES = 1_000;
const FILE = /^(\d{12})\.json$/;
const FOLDER = /^\d{9}$/;

/**
 * Seals as files, one each, `<folder>/000000000/000000000017.json`: the CloudEvent of the feed. A file is made once, completed when a crash tore it, and
 * never written over, so the folder may lie on storage that takes no changes. The folder itself must exist: one that is not mounted is an error.
 */
export class SealFolder implements SealArchive {
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async newest(): Promise<FullSeal | undefined> {
    const folders = (await names(this.path, FOLDER)).reverse();
    for (const folder of folders)
      for (const file of (await names(join(this.path, folder), FILE)).reverse()) {
        const sequence = Number(FILE.exec(file)![1]);
        const text = await readFile(join(this.path, folder, file), 'utf8');
        // A crash left half of this file: it is written anew when the seals after the last whole one are.
        if (isTorn(text)) continue;
        const seal = sealIn(text);
        if (seal?.sequence !== sequence)
          throw new ArchiveDiffers(
            sequence,
            `file ${join(folder, file)} of the folder of seals holds no seal ${sequence}`,
          );
        return seal;
      }
    return undefined;
  }

  async keep(seal: FullSeal): Promise<void> {
    const folder = join(this.path, folderOf(seal.sequence));
    const path = join(folder, fileOf(seal.sequence));
    const bytes = Buffer.from(`${Buffer.from(sealMessage(seal).value!).toString('utf8')}\n`, 'utf8');
    if (await made(() => mkdir(folder))) await sync(this.path);
    const file = await exclusively(path);
    if (file) await finish(file, bytes, 0);
    else {
      const kept = await readFile(path);
      if (kept.length > 0 && !isPart(kept, bytes)) {
        // Another version of this program may have written the same seal in other words.
        if (sealIn(kept.toString('utf8'))?.digest === seal.digest) return;
        throw new ArchiveDiffers(
          seal.sequence,
          `the folder of seals keeps another seal ${seal.sequence} than PostgreSQL: run npm run fleet -- audit verify --seals-folder ${this.path}`,
        );
      }
      await finish(await open(path, 'r+'), bytes, kept.length);
    }
    await sync(folder);
  }

  /** Every number that a file is kept under, in order, a sub-folder at a time. */
  async *files(): AsyncGenerator<{ readonly sequence: number; readonly text: string }> {
    for (const folder of await names(this.path, FOLDER))
      for (const file of await names(join(this.path, folder), FILE))
        yield {
          sequence: Number(FILE.exec(file)![1]),
          text: await readFile(join(this.path, folder, file), 'utf8'),
        };
  }

  async read(sequence: number): Promise<FullSeal | undefined> {
    return sealIn(await readFile(join(this.path, folderOf(sequence), fileOf(sequence)), 'utf8'));
  }
}

const folderOf = (sequence: number): string => String(Math.floor(sequence / FILES)).padStart(9, '0');
const fileOf = (sequence: number): string => `${String(sequence).padStart(12, '0')}.json`;

/** Whether a crash left a file without its end: every whole one ends its line. */
export const isTorn = (text: string): boolean => !text.endsWith('\n');

/** The seal in a file, if it is one and agrees with itself. */
export function sealIn(text: string): FullSeal | undefined {
  try {
    const seal = sealFromEvent(JSON.parse(text));
    return seal && isWhole(seal) && rootOf(seal.entries) === seal.merkleRoot ? seal : undefined;
  } catch {
    return undefined;
  }
}

async function names(path: string, form: RegExp): Promise<string[]> {
  return (await readdir(path)).filter((name) => form.test(name)).sort();
}

const isPart = (kept: Buffer, whole: Buffer): boolean =>
  kept.length <= whole.length && kept.equals(whole.subarray(0, kept.length));

/** Two that complete one file write the same bytes to the same places. */
async function finish(file: FileHandle, bytes: Buffer, from: number): Promise<void> {
  try {
    for (let at = from; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exclusively(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle | undefined;
  await made(async () => (file = await open(path, 'wx', 0o644)));
  return file;
}

/** False: it was there. */
async function made(make: () => Promise<unknown>): Promise<boolean> {
  try {
    await make();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** Makes the names in a folder durable. */
async function sync(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
