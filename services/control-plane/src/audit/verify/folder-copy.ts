import { isTorn, sealIn, SealFolder } from '../seal-folder.ts';
import type { FullSeal } from '../seal.ts';
import type { PublishedSeals } from './published-copy.ts';

/** The seals of a folder as copies to compare with; memory grows by a number each. */
export class FolderCopy implements PublishedSeals {
  private readonly folder: SealFolder;
  private readonly sequences = new Set<number>();
  readonly forked: readonly number[] = [];
  readonly unsound: number[] = [];
  readonly unreadable = 0;
  first: number | undefined;
  last: number | undefined;

  private constructor(folder: SealFolder) {
    this.folder = folder;
  }

  static async open(path: string): Promise<FolderCopy> {
    const copy = new FolderCopy(new SealFolder(path));
    let torn: number | undefined;
    for await (const { sequence, text } of copy.folder.files()) {
      // The newest may be half written, by a crash or at this moment; any other was whole once.
      if (torn !== undefined) copy.unsound.push(torn);
      torn = undefined;
      if (isTorn(text)) torn = sequence;
      else if (sealIn(text)?.sequence === sequence) copy.take(sequence);
      else copy.unsound.push(sequence);
    }
    return copy;
  }

  get count(): number {
    return this.sequences.size;
  }

  async get(sequence: number): Promise<FullSeal | undefined> {
    return this.sequences.has(sequence) ? this.folder.read(sequence) : undefined;
  }

  private take(sequence: number): void {
    this.sequences.add(sequence);
    this.first ??= sequence;
    this.last = sequence;
  }
}
