import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The first line of every file; then one record a line. */
const FORMAT = '{"format":1}';
const REWRITE_AT_BYTES = 64 * 1024 * 1024;

interface JournalOptions<T> {
  readonly dir: string;
  /** Every record of the present state, for a rewrite. */
  readonly all: () => T[];
  readonly rewriteAtBytes?: number;
}

/**
 * Records in a folder, appended and synced before `append` resolves. Appends that wait together share one sync. When the file has grown, it is rewritten with
 * the present state only. A last line that was cut by a crash was never acknowledged and is dropped. One process at a time may use a folder.
 */
export class Journal<T> {
  private readonly options: JournalOptions<T>;
  private file: FileHandle;
  private generation: number;
  private bytes: number;
  private rewriteAt: number;
  private queued: { readonly text: string; readonly resolve: () => void; readonly reject: (error: unknown) => void }[] =
    [];
  private writing: Promise<void> | undefined;
  private mustRewrite = false;

  private constructor(options: JournalOptions<T>, file: FileHandle, generation: number, bytes: number) {
    this.options = options;
    this.file = file;
    this.generation = generation;
    this.bytes = bytes;
    this.rewriteAt = Math.max(options.rewriteAtBytes ?? REWRITE_AT_BYTES, 2 * bytes);
  }

  static async open<T>(options: JournalOptions<T>): Promise<{ readonly journal: Journal<T>; readonly records: T[] }> {
    const { dir } = options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const generations = (await readdir(dir)).flatMap((name) => {
      const match = /^groups-(\d+)\.jsonl$/.exec(name);
      return match ? [Number(match[1])] : [];
    });
    const generation = Math.max(0, ...generations);
    const records: T[] = [];
    const path = pathOf(dir, generation);
    let whole = 0;
    if (generations.length > 0) {
      const bytes = await readFile(path);
      whole = bytes.lastIndexOf(10) + 1;
      const lines = bytes.subarray(0, whole).toString('utf8').split('\n').filter(Boolean);
      if (lines.length > 0 && lines[0] !== FORMAT)
        throw new Error(`${path} is no journal of this simulator (its first line is not ${FORMAT}).`);
      for (const line of lines.slice(1)) records.push(JSON.parse(line) as T);
    }
    const file = await open(path, 'a+', 0o600);
    await file.truncate(whole);
    if (whole === 0) {
      await file.appendFile(`${FORMAT}\n`);
      await file.datasync();
    }
    for (const old of generations) if (old < generation) await rm(pathOf(dir, old), { force: true });
    return { journal: new Journal(options, file, generation, whole), records };
  }

  /** Resolves when the records are on the disk. */
  append(records: readonly T[]): Promise<void> {
    if (records.length === 0) return this.writing ?? Promise.resolve();
    const text = records.map((record) => `${JSON.stringify(record)}\n`).join('');
    return new Promise((resolve, reject) => {
      this.queued.push({ text, resolve, reject });
      this.writing ??= this.write();
    });
  }

  /** Replaces the content by the present state. */
  async rewrite(): Promise<void> {
    this.mustRewrite = true;
    await new Promise<void>((resolve, reject) => {
      this.queued.push({ text: '', resolve, reject });
      this.writing ??= this.write();
    });
  }

  async close(): Promise<void> {
    while (this.writing) await this.writing;
    await this.file.close();
  }

  private async write(): Promise<void> {
    // A turn of the event loop: whatever is decided meanwhile shares the sync.
    await Promise.resolve();
    while (this.queued.length > 0) {
      const batch = this.queued;
      this.queued = [];
      try {
        if (this.mustRewrite || this.bytes > this.rewriteAt) await this.replace();
        else {
          const text = batch.map((each) => each.text).join('');
          await this.file.appendFile(text);
          await this.file.datasync();
          this.bytes += Buffer.byteLength(text);
        }
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // What is in the file now is unknown: the next batch replaces it.
        this.mustRewrite = true;
        for (const { reject } of batch) reject(error);
      }
    }
    this.writing = undefined;
  }

  /** The present state holds all that was queued, so the batch that triggered this need not be written again. */
  private async replace(): Promise<void> {
    this.mustRewrite = false;
    const { dir, all } = this.options;
    const text = `${[FORMAT, ...all().map((record) => JSON.stringify(record))].join('\n')}\n`;
    const next = pathOf(dir, this.generation + 1);
    const draft = await open(`${next}.draft`, 'w', 0o600);
    await draft.appendFile(text);
    await draft.sync();
    await draft.close();
    await rename(`${next}.draft`, next);
    const folder = await open(dir, 'r');
    await folder.sync();
    await folder.close();
    await this.file.close();
    await rm(pathOf(dir, this.generation), { force: true });
    this.generation += 1;
    this.file = await open(next, 'a', 0o600);
    this.bytes = Buffer.byteLength(text);
    this.rewriteAt = Math.max(this.options.rewriteAtBytes ?? REWRITE_AT_BYTES, 2 * this.bytes);
  }
}

function pathOf(dir: string, generation: number): string {
  return join(dir, `groups-${generation}.jsonl`);
}
