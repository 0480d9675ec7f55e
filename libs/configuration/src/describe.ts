import type { Variables } from './variable.ts';

/** A variable as people read of it. */
export interface DescribedVariable {
  readonly name: string;
  readonly meaning: string;
  /** What holds where it is not given; absent: nothing. */
  readonly default?: string;
  readonly unit?: string;
  readonly secret?: true;
}

/** Every variable of a table, with those that name a file instead. */
export function describe(variables: Variables): readonly DescribedVariable[] {
  return Object.entries(variables).flatMap(([name, { meaning, unit, secret, orFile, ...variable }]) => {
    const fallback = variable.default ?? variable.otherwise;
    return [
      {
        name,
        meaning,
        ...(fallback !== undefined && { default: fallback }),
        ...(unit !== undefined && { unit }),
        ...(secret && { secret }),
      },
      ...(orFile === undefined ? [] : [{ name: `${name}_FILE`, meaning: orFile }]),
    ];
  });
}

/** The table as `--help` prints it, one line a variable. */
export function helpLines(variables: Variables): readonly string[] {
  const described = describe(variables);
  const width = Math.max(...described.map(({ name }) => name.length));
  return described.map(({ name, meaning, unit, default: fallback }) => {
    const notes = [unit && `unit: ${unit}`, fallback && `default: ${fallback}`].filter(Boolean).join('; ');
    return `  ${name.padEnd(width)}  ${meaning}${notes ? ` [${notes}]` : ''}`;
  });
}

/** The table as the documentation shows it, Markdown before formatting. */
export function markdownTable(variables: Variables): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = describe(variables).map(({ name, meaning, unit, default: fallback = '' }) =>
    [`\`${name}\``, unit === undefined ? meaning : `${meaning} (${unit})`, fallback].map(cell),
  );
  return [['variable', 'meaning', 'default'], ['---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
