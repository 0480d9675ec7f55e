import { parseArgs } from 'node:util';
import { createPool } from '#libs/event-store';
import { notGiven, SystemClock, SystemRandom, WrongUsage } from '#libs/runtime';
import type { FleetCommand } from '../command-line/command.ts';
import { readConfig } from '../config.ts';
import { rebuild, type Rebuilt } from './rebuild.ts';

const HELP = `Makes the read model of container groups anew from the events, beside the one that serves, and swaps them.

  npm run fleet -- rebuild [--compare-only] [--workers N] [--differences N]

  --compare-only    say what differs and leave everything as it is
  --workers N       connections that fill at once, 1-8; default 2
  --differences N   differences that are listed at most; default 100

Readers and writers go on meanwhile. Ctrl-C leaves everything as it is; so does a crash, and the next run begins anew.

Exit code: 0 = both were equal (and the new one serves), 1 = they differed (the new one serves, unless --compare-only) or it failed, 2 = wrong usage.`;

export const rebuildCommand: FleetCommand = {
  name: 'rebuild',
  summary: 'make the read model anew from the events while it serves, and say what differed',
  help: HELP,
  async run(args, { environment, print, complain, signal }) {
    const { compareOnly, workers, most } = readArguments(args);
    const config = readConfig(environment, { needsKafka: false });
    const pool = createPool(config.databaseUrl, { max: workers + 4, applicationName: 'eci-fleet rebuild' });
    try {
      const result = await rebuild(
        { pool, clock: new SystemClock(), random: new SystemRandom() },
        { compareOnly, workers, most, progress: complain, signal },
      );
      report(result, print);
      return result.differences.length + result.failed.length === 0 ? 0 : 1;
    } finally {
      await pool.end();
    }
  },
};

function report(result: Rebuilt, print: (line: string) => void): void {
  const { transactionId, position } = result.place;
  for (const { streamId, what } of result.differences) print(streamId === undefined ? what : `${streamId}: ${what}`);
  if (result.more) print('… and more');
  for (const streamId of result.failed)
    print(
      `${streamId}: its events cannot be folded; it keeps the row it had and is parked for the subscription project`,
    );
  print(
    `${result.rows} rows at transaction ${transactionId}, position ${position}: serving ${result.serving}, rebuilt ${result.rebuilt}` +
      (result.moving > 0 ? ` (${result.moving} rows that moved on meanwhile compared one by one)` : ''),
  );
  print(
    result.taken
      ? 'The rebuilt tables serve now.'
      : 'Compared only: the tables that served before serve on, the rebuilt ones are dropped.',
  );
}

function readArguments(args: readonly string[]): {
  readonly compareOnly: boolean;
  readonly workers: number;
  readonly most: number;
} {
  let values: { 'compare-only'?: boolean | undefined; workers?: string | undefined; differences?: string | undefined };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { 'compare-only': { type: 'boolean' }, workers: { type: 'string' }, differences: { type: 'string' } },
    }));
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
  return {
    compareOnly: values['compare-only'] ?? false,
    workers: numberFrom('--workers', values.workers ?? '2', 1, 8),
    most: numberFrom('--differences', values.differences ?? '100', 0, 100_000),
  };
}

function numberFrom(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new WrongUsage(`${name} takes a whole number from ${least} to ${most}${notGiven(text)}`);
  return value;
}
