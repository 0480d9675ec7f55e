import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
/** Who must look below the verbs: they prove that the store did what it promises. */
const BELOW = /\/(?:audit|doctor)\//;
/** Names of schema `es` in SQL; its clock is everybody's. */
const NAMES = /\bes\.(?!now\()[a-z_]+/g;

const sources = (): readonly string[] =>
  globSync(['services/*/src/**/*.ts', 'libs/*/src/**/*.ts'], { cwd: ROOT }).filter(
    (file) => !file.startsWith('libs/event-store/') && !/spec|\/testing\//.test(file),
  );

it('nobody asks the tables of the event store but its adapters, and who proves what they hold', () => {
  const found = sources()
    .filter((file) => !BELOW.test(file))
    .flatMap((file) => (readFileSync(join(ROOT, file), 'utf8').match(NAMES) ?? []).map((name) => `${file}: ${name}`));

  expect(found, 'give libs/event-store a verb for it: see catalogue.ts').toEqual([]);
});

it('the look at it finds what it looks for', () => {
  const below = sources().filter((file) => BELOW.test(file));
  expect(below.filter((file) => readFileSync(join(ROOT, file), 'utf8').match(NAMES))).not.toEqual([]);
});
