import { parseArgs } from 'node:util';
import { Given, readSections } from '#libs/configuration';
import { createPool } from '#libs/event-store';
import { notGiven, SystemClock, SystemRandom, WrongUsage } from '#libs/runtime';
import type { FleetCommand } from '../command-line/command.ts';
import { database } from '../config/database.ts';
import type { Projection, Rebuilt } from '../streams/projection.ts';
import { rebuild } from './rebuild.ts';

const helpOf = (
  projections: readonly Projection[],
): string => `Makes the tables anew that are kept of events and of nothing else, while they serve, and says what differed:
${projections.map(({ name }) => name).join(', ')}.

  npm run fleet -- rebuild [--compare-only] [--workers N] [--differences N]

  --compare-only    say what differs and leave everything as it is
  --workers N       connections that fill at once, 1-8; default 2
  --differences N   differences that are listed at most; default 100

Readers and writers go on meanwhile. Ctrl-C leaves everything that is not said to be done as it is; so does a crash, and the next run begins anew.

Exit code: 0 = both were equal (and the new one serves), 1 = they differed (the new one serves, unless --compare-only) or it failed, 2 = wrong usage.`;

const TAKEN = {
  beside: 'The rebuilt tables serve now.',
  inPlace: 'Rows that differed were written anew.',
} as const;
const COMPARED = {
  beside: 'Compared only: the tables that served before serve on, the rebuilt ones are dropped.',
  inPlace: 'Compared only: the rows are as they were.',
} as const;

export const rebuildCommand = (projections: readonly Projection[]): FleetCommand => ({
  name: 'rebuild',
  summary: 'make the read models anew from the events while they serve, and say what differed',
  help: helpOf(projections),
  async run(args, { environment, print, complain, signal }) {
    const { compareOnly, workers, most } = readArguments(args);
    const { databaseUrl } = readSections([database], new Given(environment));
    const pool = createPool(databaseUrl, { max: workers + 4, applicationName: 'eci-fleet rebuild' });
    try {
      const results = await rebuild(
        projections,
        { pool, clock: new SystemClock(), random: new SystemRandom() },
        { compareOnly, workers, most, progress: complain, signal },
        // At once: what was found of one is said also when the next one is stopped.
        ({ name }, result) => report(name, result, print),
      );
      return results.every(({ differences, failed }) => differences.length + failed.length === 0) ? 0 : 1;
    } finally {
      await pool.end();
    }
  },
});

function report(name: string, result: Rebuilt, print: (line: string) => void): void {
  const { differences, more, failed, rows, moving, beside } = result;
  for (const { streamId, what } of differences) print(streamId === undefined ? what : `${streamId}: ${what}`);
  if (more) print('… and more');
  for (const streamId of failed)
    print(
      `${streamId}: its events cannot be folded; it keeps the row it had and is parked for the subscription project`,
    );
  const where = beside
    ? ` at transaction ${beside.place.transactionId}, position ${beside.place.position}: serving ${beside.serving}, rebuilt ${beside.rebuilt}`
    : ', each compared with the events of its stream';
  print(
    `${name}: ${rows} rows${where}` +
      (moving > 0 ? ` (${moving} rows that moved on meanwhile compared one by one)` : ''),
  );
  print(result.taken ? TAKEN[beside ? 'beside' : 'inPlace'] : COMPARED[beside ? 'beside' : 'inPlace']);
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
