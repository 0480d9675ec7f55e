#!/usr/bin/env node
import { databaseUrlOf } from '#libs/event-store';
import { runProgram, WrongUsage } from '#libs/runtime';
import { migrate } from './run.ts';

const HELP = `Brings the database of ECI Fleet to the newest schema. Safe to run at any time and by several processes at once.

Usage: npm run migrate

  DATABASE_URL        postgres://user:password@host:port/database; required. The login must be able to make schemas and roles.
  DATABASE_CA_FILE    PEM file with the CA of the server
  DATABASE_INSECURE   true: a server on another machine may be called without TLS, verification or password
`;

process.exitCode = await runProgram(
  { name: 'migrate', help: () => HELP, options: {}, run: main },
  process.argv.slice(2),
);

async function main(): Promise<number> {
  const given = process.env['DATABASE_URL'];
  if (!given) throw new WrongUsage('DATABASE_URL is not set: give postgres://user:password@host:port/database');
  if (!/^postgres(ql)?:\/\//.test(given))
    throw new WrongUsage('DATABASE_URL must begin with postgres:// or postgresql://');
  const faults: string[] = [];
  const { url } = databaseUrlOf(process.env, faults);
  if (faults.length > 0) throw new WrongUsage(faults.join('\n'));
  try {
    await migrate(url);
    process.stdout.write('database is up to date\n');
    return 0;
  } catch (error) {
    process.stderr.write(`migrate: ${error instanceof Error ? error.message || String(error) : String(error)}\n`);
    return 1;
  }
}
