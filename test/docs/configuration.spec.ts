import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe as inWords, markdownTable, type DescribedVariable, type Variables } from '#libs/configuration';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { TABLE as agent } from '../../services/agent/src/config.ts';
import { TABLE as controlPlane } from '../../services/control-plane/src/config.ts';
import { TABLE as simulator } from '../../services/eci-simulator/src/config.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'operators', 'configuration.md');
const TABLES: readonly (readonly [heading: string, Variables])[] = [
  ['Control plane', controlPlane],
  ['Agent', agent],
  ['ECI simulator', simulator],
];

/** The page with a table in the place of the first one below a heading. */
function withTable(page: string, heading: string, table: string): string {
  const start = page.indexOf(`\n## ${heading}\n`);
  const [before, section] = [page.slice(0, start), page.slice(start)];
  return before + section.replace(/(?:^\|.*\n)+/m, () => `${table}\n`);
}

it('docs/operators/configuration.md has the tables that the services read by', async () => {
  const written = await readFile(PAGE, 'utf8');
  const page = TABLES.reduce((text, [heading, table]) => withTable(text, heading, markdownTable(table)), written);
  // `vitest -u` writes the tables anew.
  await expect(await format(page, { ...(await resolveConfig(PAGE)), parser: 'markdown' })).toMatchFileSnapshot(PAGE);
});

it.each(TABLES)('the %s reads what operators have written, and it means the same', async (heading, table) => {
  const text = await readFile(join(import.meta.dirname, 'known-variables.json'), 'utf8');
  const known = (JSON.parse(text) as Record<string, readonly DescribedVariable[]>)[heading]!;
  const now = new Map(inWords(table).map((variable) => [variable.name, variable]));
  expect(known.map(({ name }) => now.get(name))).toMatchObject(known);
});
