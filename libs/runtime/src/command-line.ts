import { notGiven } from './given.ts';
import { parseArgs, type ParseArgsConfig } from 'node:util';

type Options = NonNullable<ParseArgsConfig['options']>;
type Given<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O & { help: { type: 'boolean'; short: 'h' } } }>
>['values'];

/** A command line that cannot be understood: its message says what is wrong in one line. Exit code 2. */
export class WrongUsage extends Error {
  override readonly name = 'WrongUsage';
}

interface Program<O extends Options> {
  /** As its complaints begin. */
  readonly name: string;
  /** What `--help` prints. */
  readonly help: () => string;
  readonly options: O;
  /** Returns the exit code; nothing = 0. */
  readonly run: (given: Given<O>) => Promise<number | void>;
}

/** Where a program's lines go; default the process's own. */
interface Output {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
}

const OF_THE_PROCESS: Output = {
  print: (text) => void process.stdout.write(text),
  complain: (text) => void process.stderr.write(text),
};

/**
 * Runs a program with options and no other words, and returns its exit code: `--help` prints, what is not understood ({@link WrongUsage}, from here or
 * from `run`) is one line and 2. Whatever else `run` throws is its caller's.
 */
export async function runProgram<O extends Options>(
  { name, help, options, run }: Program<O>,
  args: readonly string[],
  output: Output = OF_THE_PROCESS,
): Promise<number> {
  try {
    const values = read(args, { ...options, help: { type: 'boolean', short: 'h' } });
    if (values.help !== true) return (await run(values as Given<O>)) ?? 0;
    const text = help();
    output.print(text.endsWith('\n') ? text : `${text}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    output.complain(`${name}: ${error.message}; see --help\n`);
    return 2;
  }
}

function read(args: readonly string[], options: Options): Readonly<Record<string, unknown>> {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    // Node explains at length how a word could be meant that begins with a dash.
    throw new WrongUsage((error as Error).message.split(/\.\s/)[0] ?? 'cannot be understood', { cause: error });
  }
}

/** A whole number from `least` on; throws {@link WrongUsage} that names the option. */
export function wholeNumber(option: string, text: string | undefined, fallback: number, least = 0): number {
  if (text === undefined) return fallback;
  const parsed = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(parsed) || parsed < least)
    throw new WrongUsage(`${option} takes a whole number from ${least} on${notGiven(text)}`);
  return parsed;
}
