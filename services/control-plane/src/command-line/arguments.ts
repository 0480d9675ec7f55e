import { parseArgs, type ParseArgsConfig } from 'node:util';
import { notGiven, WrongUsage } from '#libs/runtime';
import { OPERATOR } from '../holds/hold-view.ts';
import type { CommandContext } from './command.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

interface Arguments {
  readonly words: readonly string[];
  text(name: string): string | undefined;
  /** Of an option that may be repeated, or whose values are separated by commas. */
  list(name: string): readonly string[] | undefined;
  has(name: string): boolean;
}

/** Options of a command; throws {@link WrongUsage} for one that it does not know. */
export function argumentsOf(args: readonly string[], options: Options): Arguments {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return {
      words: positionals,
      text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
      list: (name) =>
        Array.isArray(values[name])
          ? values[name].flatMap((value) =>
              String(value)
                .split(',')
                .map((part) => part.trim())
                .filter((part) => part !== ''),
            )
          : undefined,
      has: (name) => values[name] === true,
    };
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
}

/** Who runs the command, for the history: `--by`, else the login. */
export function operatorOf(given: string | undefined, { environment }: CommandContext): string {
  const login = OPERATOR.safeParse(environment['SUDO_USER'] ?? environment['USER']);
  if (given === undefined) return login.success ? login.data : 'admin';
  const parsed = OPERATOR.safeParse(given);
  if (!parsed.success)
    throw new WrongUsage(`--by: ${parsed.error.issues[0]?.message ?? 'is no name'}${notGiven(given)}`);
  return parsed.data;
}

/** Rows of text in columns. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** `2 h 5 min` and the like; seconds below two minutes. */
export function agoText(seconds: number): string {
  if (seconds < 120) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
