import { WrongUsage } from '#libs/runtime';
import { globSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

interface Chosen {
  /** Integration specs, relative to the repository. */
  readonly files: readonly string[];
  /** For vitest, such as `-t 'a name'`. */
  readonly options: readonly string[];
}

/**
 * The integration specs of the folders, or files, that are named before the first option. `root` is the repository. Throws WrongUsage when none is
 * named, or one is not there or holds none.
 */
export function chosenSpecs(args: readonly string[], root: string): Chosen {
  const firstOption = args.findIndex((arg) => arg.startsWith('-'));
  const names = firstOption < 0 ? args : args.slice(0, firstOption);
  if (names.length === 0) {
    const before = firstOption < 0 ? '' : ` before ${args[firstOption]}`;
    throw new WrongUsage(`say which folder${before}, such as libs/event-store; \`npm test\` runs everything`);
  }
  return { files: [...new Set(names.flatMap((name) => specsUnder(name, root)))], options: args.slice(names.length) };
}

function specsUnder(name: string, root: string): readonly string[] {
  const path = relative(root, join(root, name));
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (!found || path === '' || path.startsWith('..'))
    throw new WrongUsage(`there is no folder ${name} in this repository`);
  const isSpec = (file: string): boolean => file.endsWith('.int.spec.ts');
  const files = found.isDirectory()
    ? globSync(`${path}/**/*.int.spec.ts`, { cwd: root, exclude: (file) => /(^|\/)(node_modules|dist)$/.test(file) })
    : [path].filter(isSpec);
  if (files.length === 0) throw new WrongUsage(`${path} holds no integration spec (*.int.spec.ts)`);
  return files.toSorted();
}
