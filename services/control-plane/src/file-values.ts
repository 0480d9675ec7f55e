import { readFileSync } from 'node:fs';
import { fileGiven } from '#libs/runtime';

export type ReadFile = (path: string) => string;
export const readText: ReadFile = (path) => readFileSync(path, 'utf8');

/** A value given as `NAME` or as the path of a file in `NAME_FILE`. */
export class FileValues {
  private readonly raw: Readonly<Record<string, string>>;
  private readonly readFile: ReadFile;
  private readonly faults: string[];

  constructor(raw: Readonly<Record<string, string>>, readFile: ReadFile, faults: string[]) {
    this.raw = raw;
    this.readFile = readFile;
    this.faults = faults;
  }

  /** The value, `undefined` when neither is set, `null` when it could not be read (a fault was noted). */
  get(name: string): string | null | undefined {
    const path = this.raw[`${name}_FILE`];
    const value = this.raw[name];
    if (value !== undefined && path !== undefined) {
      this.faults.push(`${name}: is set beside ${name}_FILE: keep one of them`);
      return null;
    }
    return path === undefined ? value : this.file(`${name}_FILE`);
  }

  file(name: string): string | null | undefined {
    const path = this.raw[name];
    if (path === undefined) return undefined;
    try {
      return this.readFile(path).trim();
    } catch (error) {
      this.faults.push(`${name}: cannot read ${fileGiven(path)}(${(error as NodeJS.ErrnoException).code ?? 'error'})`);
      return null;
    }
  }
}
