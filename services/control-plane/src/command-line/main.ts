#!/usr/bin/env node
import { COMMANDS } from './commands.ts';
import { runCommand } from './run-command.ts';

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());

process.exitCode = await runCommand(COMMANDS, process.argv.slice(2), {
  environment: process.env,
  print: (line) => process.stdout.write(`${line}\n`),
  complain: (line) => process.stderr.write(`${line}\n`),
  signal: ended.signal,
});
