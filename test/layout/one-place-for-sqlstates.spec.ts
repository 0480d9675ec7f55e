import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const HOME = 'libs/observability/src/sql-states.ts';

/** Classes of PostgreSQL that have been met, and what a state of them looks like in code: as a text, and in a pattern. */
const CLASS = '(?:08|2[1-8BDF]|3[489BDF]|40|42|44|5[34578]|P0|XX)';
const STATES = [
  new RegExp(`['"\`]${CLASS}[0-9A-Z]{3}['"\`]`, 'g'),
  new RegExp(`/\\^\\(?(?:\\?:)?${CLASS}[0-9A-Z|[][^/\\n]*/`, 'g'),
];

const statesIn = (text: string): readonly string[] => STATES.flatMap((pattern) => text.match(pattern) ?? []);

const sources = (): readonly string[] =>
  globSync(['services/*/src/**/*.ts', 'libs/*/src/**/*.ts', 'migrations/*.ts'], { cwd: ROOT }).filter(
    (file) => file !== HOME && !/spec|\/contract\/|libs\/testing\//.test(file),
  );

it('nobody compares with a SQLSTATE but who knows what they say', () => {
  const found = sources().flatMap((file) =>
    statesIn(readFileSync(join(ROOT, file), 'utf8')).map((state) => `${file}: ${state}`),
  );

  expect(found, `give it a name in ${HOME}`).toEqual([]);
});

it.each([
  `if (code === '40P01') return;`,
  `['42P01', "42501"].includes(code)`,
  `/^(22|23|54)[0-9A-Z]{3}$/.test(code)`,
  `/^(?:08|25|57P|53300|58)/`,
  `/^(08|25)/.test(code)`,
  `/^57P0[123]$/`,
])('the look at it finds %s', (line) => {
  expect(statesIn(line)).not.toEqual([]);
});
