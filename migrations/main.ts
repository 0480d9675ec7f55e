#!/usr/bin/env node
import { migrate } from './run.ts';

const HELP = `Brings the database of ECI Fleet to the newest schema. Safe to run at any time and by several processes at once.

Usage: npm run migrate

  DATABASE_URL   postgres://user:password@host:port/database; required. The login must be able to make schemas and roles.
`;

if (process.argv.includes('--help') || process.argv.includes('-h')) {
  process.stdout.write(HELP);
} else {
  const faults: string[] = [];
  const unknown = process.argv.slice(2);
  if (unknown.length > 0) faults.push(`unknown argument ${unknown.join(' ')}: none but --help is taken`);
  const url = process.env['DATABASE_URL'];
  if (!url) faults.push('DATABASE_URL is not set: give postgres://user:password@host:port/database');
  else if (!/^postgres(ql)?:\/\//.test(url)) faults.push('DATABASE_URL must begin with postgres:// or postgresql://');
  if (faults.length > 0 || !url) {
    process.stderr.write(faults.map((fault) => `migrate: ${fault}\n`).join(''));
    process.exitCode = 2;
  } else {
    try {
      await migrate(url);
      process.stdout.write('database is up to date\n');
    } catch (error) {
      process.stderr.write(`migrate: ${error instanceof Error ? error.message || String(error) : String(error)}\n`);
      process.exitCode = 1;
    }
  }
}
