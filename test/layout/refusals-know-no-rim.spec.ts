import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '..', '..', 'services', 'control-plane', 'src');
const IMPORT = /^(?:import|export) [^;]*? from '([^']+)';/gms;

/** Who speaks HTTP: the rim itself, what starts it, and the controllers and interceptors of the slices. */
const SPEAKS_HTTP = /^http\/|^[a-z.-]+\.ts$|\.controller\.ts$/;
const speaksHttp = (file: string, imports: readonly string[]): boolean =>
  SPEAKS_HTTP.test(file) || (imports.includes('express') && imports.includes('@nestjs/common'));

const files = globSync('**/*.ts', { cwd: SRC })
  .filter((file) => !/\bspec|for-/.test(file))
  .map((file) => ({
    file,
    imports: [...readFileSync(join(SRC, file), 'utf8').matchAll(IMPORT)].map(([, from]) => from!),
  }));

it('slices refuse with codes, and know nothing of HTTP', () => {
  const found = files
    .filter(({ file, imports }) => !speaksHttp(file, imports))
    .flatMap(({ file, imports }) =>
      imports
        .filter((from) => /\/http\//.test(from) && !from.endsWith('variables.ts'))
        .map((from) => `${file}: ${from}`),
    );

  expect(found, 'throw a Refusal: see answers/refusal.ts').toEqual([]);
});

it('what refuses knows neither HTTP nor a command line', () => {
  const found = files
    .filter(({ file }) => file.startsWith('answers/'))
    .flatMap(({ file, imports }) =>
      imports
        .filter((from) => !from.startsWith('./') && !['#libs/contracts', 'zod', 'node:crypto'].includes(from))
        .map((from) => `${file}: ${from}`),
    );

  expect(found).toEqual([]);
});
