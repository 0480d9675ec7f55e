import { ConfigurationError } from '#libs/configuration';
import { errorMessage } from '#libs/observability';
import { WrongUsage } from '#libs/runtime';
import type { CommandContext, FleetCommand } from './command.ts';

/** The list that is printed without a command. */
function overview(commands: readonly FleetCommand[]): string {
  const width = Math.max(0, ...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return [
    'Looks after a live fleet, with the variables of the control plane.',
    '',
    '  npm run fleet -- <command> [options]',
    '',
    ...lines,
    '',
    'npm run fleet -- <command> --help says more of one.',
  ].join('\n');
}

/** The command that the first words name, the longest name first, and what is left of the words. */
function findCommand(
  commands: readonly FleetCommand[],
  words: readonly string[],
): { readonly command: FleetCommand; readonly rest: readonly string[] } | undefined {
  const fitting = commands
    .filter(({ name }) => name.split(' ').every((word, index) => words[index] === word))
    .sort((a, b) => b.name.length - a.name.length);
  const [command] = fitting;
  return command && { command, rest: words.slice(command.name.split(' ').length) };
}

/** Runs what the words ask for; returns the exit code. Errors are one line, never a stack trace. */
export async function runCommand(
  commands: readonly FleetCommand[],
  words: readonly string[],
  context: CommandContext,
): Promise<number> {
  const [first] = words;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    context.print(overview(commands));
    return 0;
  }
  const found = findCommand(commands, words);
  if (!found) {
    const known = commands.map(({ name }) => name).join(', ');
    context.complain(`fleet: there is no command "${words.join(' ')}", only ${known}; see --help`);
    return 2;
  }
  const { command, rest } = found;
  if (rest.includes('--help') || rest.includes('-h')) {
    context.print(command.help);
    return 0;
  }
  try {
    return await command.run(rest, context);
  } catch (error) {
    const why = error instanceof WrongUsage ? `${error.message}; see --help` : errorMessage(error);
    context.complain(`fleet ${command.name}: ${why}`);
    return exitCodeOf(error);
  }
}

/** 2 = it was not asked rightly, or its variables are wrong; 1 = it was refused, or failed. */
const exitCodeOf = (error: unknown): 1 | 2 =>
  error instanceof WrongUsage || error instanceof ConfigurationError ? 2 : 1;
