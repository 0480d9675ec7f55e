import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { READABLE_LABELS, READABLE_NAMES, READABLE_POD, type Readable } from '#libs/contracts';
import { expect, it } from 'vitest';

const page = await readFile(
  join(import.meta.dirname, '..', '..', 'docs', 'operators', 'what-stays-readable.md'),
  'utf8',
);

/** Items of the list below a mark. */
const listed = (mark: string): string[] =>
  [...(page.split(`<!-- ${mark} -->`)[1]?.split('<!--')[0] ?? '').matchAll(/^- `(.+?)`$/gm)].map((match) => match[1]!);

function fieldsOf(shape: Readable, path: string): string[] {
  if (typeof shape === 'string') return [path];
  if (Array.isArray(shape)) return fieldsOf((shape as readonly [Readable])[0], `${path}[]`);
  return Object.entries(shape).flatMap(([name, of]) =>
    fieldsOf(of as Readable, path === '' ? name : `${path}.${name}`),
  );
}

it('docs/operators/what-stays-readable.md has the list that the code goes by', () => {
  const fields = fieldsOf(READABLE_POD, '').filter((field) => !field.startsWith('metadata.labels.'));
  expect(listed('readable')).toEqual(fields);
  expect(listed('labels')).toEqual([...READABLE_LABELS]);
  expect(listed('names')).toEqual(READABLE_NAMES.map((name) => name.replaceAll('.*', '[]').replace('.%', '{}')));
});
