#!/usr/bin/env node
import { Given, helpLines } from '#libs/configuration';
import { databaseSettings, databaseVariables } from '#libs/event-store';
import { runProgram, WrongUsage } from '#libs/runtime';
import { migrate } from './run.ts';

const HELP = `Brings the database of ECI Fleet to the newest schema. Safe to run at any time and by several processes at once.

Usage: npm run migrate

${helpLines(databaseVariables).join('\n')}

The login must be able to make schemas and roles.
`;

process.exitCode = await runProgram(
  { name: 'migrate', help: () => HELP, options: {}, run: main },
  process.argv.slice(2),
);

async function main(): Promise<number> {
  const given = new Given(process.env);
  const settings = databaseSettings(given);
  if (!settings || given.faults.length > 0) throw new WrongUsage(given.faults.join('\n'));
  try {
    await migrate(settings.databaseUrl);
    process.stdout.write('database is up to date\n');
    return 0;
  } catch (error) {
    process.stderr.write(`migrate: ${error instanceof Error ? error.message || String(error) : String(error)}\n`);
    return 1;
  }
}
