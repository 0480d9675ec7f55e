import { describe, expect, it } from 'vitest';
import { runProgram, wholeNumber, WrongUsage } from './command-line.ts';

async function run(args: readonly string[], work: (given: { seeds?: string }) => Promise<number | void>) {
  const printed: string[] = [];
  const complained: string[] = [];
  const code = await runProgram(
    { name: 'tool', help: () => 'what it does', options: { seeds: { type: 'string' } }, run: work },
    args,
    { print: (text) => printed.push(text), complain: (text) => complained.push(text) },
  );
  return { code, printed: printed.join(''), complained: complained.join('') };
}
const nothing = async (): Promise<void> => undefined;

describe('a command line', () => {
  it('prints its help and does nothing else', async () => {
    for (const flag of ['--help', '-h']) {
      const result = await run([flag], () => Promise.reject(new Error('was run')));
      expect(result).toEqual({ code: 0, printed: 'what it does\n', complained: '' });
    }
  });

  it.each([['--no-such-option'], ['stray'], ['--seeds'], ['--help=yes'], ['-x']])(
    'says in one line what is wrong with %s',
    async (word) => {
      const { code, printed, complained } = await run([word], nothing);
      expect({ code, printed }).toEqual({ code: 2, printed: '' });
      expect(complained).toMatch(/^tool: [^\n]+; see --help\n$/);
      expect(complained).toContain(word.replace('=yes', ''));
    },
  );

  it('takes a wrong value for wrong usage, and answers what the program answers', async () => {
    const seeds = (given: { seeds?: string }): Promise<number> =>
      Promise.resolve(wholeNumber('--seeds', given.seeds, 7));
    expect((await run([], seeds)).code).toBe(7);
    expect((await run(['--seeds', '3'], seeds)).code).toBe(3);
    for (const bad of ['x', '-1', '1.5', '', '1e99'])
      expect(await run([`--seeds=${bad}`], seeds)).toEqual({
        code: 2,
        printed: '',
        complained: `tool: --seeds takes a whole number from 0 on, not "${bad}"; see --help\n`,
      });
    await expect(run([], () => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
    await expect(run([], () => Promise.reject(new WrongUsage('no')))).resolves.toMatchObject({ code: 2 });
  });
});
