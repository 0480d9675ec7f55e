import type { Environment } from '#libs/configuration';

/** What a command of the operator's command line is given by the process; tests give their own. */
export interface CommandContext {
  /** The variables of the control plane: a command talks to what the control plane talks to. */
  readonly environment: Environment;
  /** One line to standard output. */
  readonly print: (line: string) => void;
  /** One line to standard error: progress and complaints, so that output can be piped. */
  readonly complain: (line: string) => void;
  /** Ends when the operator presses Ctrl-C. */
  readonly signal: AbortSignal;
}

/** One command of `npm run fleet`. It lives in the room of what it does, and is listed in `commands.ts`. */
export interface FleetCommand {
  /** Words as typed, for example `audit verify`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints: usage, options with units and defaults, exit codes. */
  readonly help: string;
  /** Returns the exit code: 0 = all is well, 1 = it found something or failed, 2 = wrong usage ({@link WrongUsage}). */
  run(args: readonly string[], context: CommandContext): Promise<number>;
}
