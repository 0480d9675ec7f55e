/** Every command of package.json that people run: it has a help, and says in one line what it does not understand. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** Tools of others, run as they are; everything else is ours and is tested. */
const TOOLS = ['build', 'pretest', 'test', 'test:unit', 'test:faults', 'lint', 'format', 'typecheck', 'depcheck'];

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const ours = Object.entries(scripts).filter(([name]) => !TOOLS.includes(name));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** As `npm run` does it, but for the build; with none of the variables that configure anything. */
async function run(script: string, args: readonly string[]): Promise<Ended> {
  const words = script.split('&&').at(-1)!.trim().split(/\s+/);
  expect(words[0], `"${script}" ends with a program of ours`).toBe('node');
  const child = spawn(process.execPath, [...words.slice(1), ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A program that took the words for an order would run on.
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(late);
  return { code, out, err };
}

it('knows every script of package.json', () => {
  expect(TOOLS.filter((name) => !(name in scripts))).toEqual([]);
  expect(ours.length).toBeGreaterThan(0);
});

describe.each(ours)('npm run %s', (_name, script) => {
  it('has a help', async () => {
    const { code, out, err } = await run(script, ['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').length).toBeGreaterThan(3);
  });

  it.each(['--no-such-option', 'no-such-word'])('says in one line that it does not know %s', async (word) => {
    const { code, out, err } = await run(script, [word]);
    expect({ code, out }, err).toEqual({ code: 2, out: '' });
    expect(err).toContain(word);
    expect(err).toMatch(/^[^\n]*--help[^\n]*\n$/);
    expect(err).not.toMatch(/^\s+at /m);
  });
});
