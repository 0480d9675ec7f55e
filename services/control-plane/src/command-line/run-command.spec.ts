import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '#libs/configuration';
import { WrongUsage } from '#libs/runtime';
import { notFound } from '../answers/refusal.ts';
import type { FleetCommand } from './command.ts';
import { runCommand } from './run-command.ts';

function command(name: string, run: FleetCommand['run']): FleetCommand {
  return { name, summary: `does ${name}`, help: `help of ${name}`, run };
}

async function ran(words: readonly string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const seen: (readonly string[])[] = [];
  const commands = [
    command('audit', () => Promise.resolve(7)),
    command('audit verify', (args) => {
      seen.push(args);
      return Promise.resolve(0);
    }),
    command('wrong', () => Promise.reject(new WrongUsage('--since is no time'))),
    command('broken', () => Promise.reject(new Error('PostgreSQL does not answer'))),
    command('refused', () => Promise.reject(notFound('there is no orphan x'))),
    command('unset', () => Promise.reject(new ConfigurationError(['DATABASE_URL is not set']))),
  ];
  const code = await runCommand(commands, words, {
    environment: {},
    print: (line) => out.push(line),
    complain: (line) => err.push(line),
    signal: new AbortController().signal,
  });
  return { code, out: out.join('\n'), err: err.join('\n'), seen };
}

describe('the command line of operators', () => {
  it('takes the longest name that fits and hands on the rest', async () => {
    const { code, seen } = await ran(['audit', 'verify', '--since', '2026-01-01']);
    expect(code).toBe(0);
    expect(seen).toEqual([['--since', '2026-01-01']]);
    expect((await ran(['audit'])).code).toBe(7);
  });

  it('lists every command when asked for nothing', async () => {
    const { code, out } = await ran([]);
    expect(code).toBe(0);
    expect(out).toContain('audit verify  does audit verify');
  });

  it('prints the help of one command', async () => {
    expect((await ran(['audit', 'verify', '--help'])).out).toBe('help of audit verify');
  });

  it('says in one line what is wrong, and tells wrong usage from failure by the exit code', async () => {
    expect(await ran(['nothing'])).toMatchObject({ code: 2, err: expect.stringContaining('no command "nothing"') });
    expect(await ran(['wrong'])).toMatchObject({ code: 2, err: 'fleet wrong: --since is no time; see --help' });
    expect(await ran(['broken'])).toMatchObject({ code: 1, err: 'fleet broken: PostgreSQL does not answer' });
    expect(await ran(['refused'])).toMatchObject({ code: 1, err: 'fleet refused: there is no orphan x' });
    expect(await ran(['unset'])).toMatchObject({ code: 2, err: expect.stringContaining('DATABASE_URL') });
  });
});
