#!/usr/bin/env node
import { runProgram, WrongUsage } from '#libs/runtime';
import { migrate } from './run.ts';

const HELP = `Brings the database of ECI Fleet to the newest schema. Safe to run at any time and by several processes at once.

Usage: npm run migrate

  DATABASE_URL   postgres://user:password@host:port/database; required. The login must be able to make schemas and roles.
`;

process.exitCode = await runProgram(
  { name: 'migrate', help: () => HELP, options: {}, run: main },
  process.argv.slice(2),
);

async function main(): Promise<number> {
  const url = process.env['DATABASE_URL'];
  if (!url) throw new WrongUsage('DATABASE_URL is not set: give postgres://user:password@host:port/database');
  if (!/^postgres(ql)?:\/\//.test(url))
    throw new WrongUsage('DATABASE_URL must begin with postgres:// or postgresql://');
  try {
    await migrate(url);
    process.stdout.write('database is up to date\n');
    return 0;
  } catch (error) {
    process.stderr.write(`migrate: ${error instanceof Error ? error.message || String(error) : String(error)}\n`);
    return 1;
  }
}
