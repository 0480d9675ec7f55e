import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/developers/adding-a-slice.md'), 'utf8');
const FILES = globSync(['{libs,migrations,services,test}/**/*.ts', 'docs/**/*.md'], {
  cwd: ROOT,
  exclude: (name) => ['node_modules', 'dist'].includes(name),
});

/** Names of files between backticks: a path from the top, or its end. */
const namesIn = (text: string): readonly string[] =>
  [...text.matchAll(/`([a-z0-9./-]+\.(?:ts|md))`/g)].map(([, name]) => name!);
const found = (name: string): readonly string[] => FILES.filter((file) => `/${file}`.endsWith(`/${name}`));

it('the page names files that are there', () => {
  const names = namesIn(PAGE);
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => found(name).length === 0)).toEqual([]);
});

it('every list that the page names has the line of the slice that it takes as an example', () => {
  const rows = PAGE.split('\n').filter((line) => line.startsWith('| ') && line.includes('orphan'));
  const lists = rows.flatMap((row) => namesIn(row.split('|').at(-2)!));
  expect(lists.length).toBeGreaterThan(6);
  for (const list of lists)
    expect(
      found(list)
        .map((file) => readFileSync(join(ROOT, file), 'utf8'))
        .join(),
      list,
    ).toMatch(/orphan/i);
});
