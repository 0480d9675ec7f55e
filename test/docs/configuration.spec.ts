import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VARIABLES as agent } from '../../services/agent/src/config.ts';
import { VARIABLES as controlPlane } from '../../services/control-plane/src/config-variables.ts';
import { VARIABLES as simulator } from '../../services/eci-simulator/src/config.ts';

interface Variable {
  readonly name: string;
  readonly meaning: string;
  readonly default?: string;
  readonly unit?: string;
}

const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'operators', 'configuration.md'), 'utf8');

/** Cells of the first table below a heading. */
function tableBelow(heading: string): string[][] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const [, , ...rows] = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  );
}

const rowOf = ({ name, meaning, default: fallback, unit }: Variable): string[] => [
  `\`${name}\``,
  unit === undefined ? meaning : `${meaning} (${unit})`,
  fallback ?? '',
];

describe('docs/operators/configuration.md', () => {
  it.each([
    ['Control plane', controlPlane],
    ['Agent', agent],
    ['ECI simulator', simulator],
  ] as [string, readonly Variable[]][])('says of every variable what --help of the %s says', (heading, variables) => {
    expect(tableBelow(heading)).toEqual(variables.map(rowOf));
  });
});
