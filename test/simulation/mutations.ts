/**
 * `npm run simulate:mutations`: breaks the product on purpose, one patch at a time on a copy of its sources, and expects the simulation to notice;
 * the sources as they are must keep every promise under the same seeds.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runProgram, wholeNumber, WrongUsage } from '#libs/runtime';
import { range, runSeeds, type SeedResult } from './pool.ts';

const ROOT = join(import.meta.dirname, '../..');
const PATCHES = join(import.meta.dirname, 'mutations');
const NEEDED = [
  'libs',
  'services/control-plane/src',
  'services/agent/src',
  'services/eci-simulator/src',
  'test/simulation',
];

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const HELP = `Breaks the product on purpose, one patch of test/simulation/mutations at a time, and expects the simulation to notice.

  npm run simulate:mutations

  --seeds N       until it is noticed, at most (1,000)
  --from N        the first seed (1)
  --only TEXT     patches with this in their name
  --faults NAMES  faults of these kinds only, separated by commas (those that a patch names, else all)
  --help          this text

Exit code 1: a patch was not noticed, or the sources as they are break a promise under the same seeds.
`;

interface Tries {
  readonly seeds: number;
  readonly from: number;
  readonly faults: readonly string[] | undefined;
}

process.exit(
  await runProgram(
    {
      name: 'simulate:mutations',
      help: () => HELP,
      options: {
        seeds: { type: 'string' },
        from: { type: 'string' },
        only: { type: 'string' },
        faults: { type: 'string' },
      },
      run: ({ seeds, from, only = '', faults }) => {
        const patches = readdirSync(PATCHES)
          .filter((name) => name.endsWith('.patch') && name.includes(only))
          .sort();
        if (patches.length === 0) throw new WrongUsage(`--only: no patch has "${only}" in its name`);
        return mutate(patches, {
          seeds: wholeNumber('--seeds', seeds, 1000, 1),
          from: wholeNumber('--from', from, 1),
          faults: faults?.split(',').map((name) => name.trim()),
        });
      },
    },
    process.argv.slice(2),
  ),
);

async function mutate(patches: readonly string[], tries: Tries): Promise<number> {
  /** How many seeds the sources as they are have to pass, under which faults. */
  const honest = new Map<string, Tries>();
  let faults = 0;
  for (const patch of patches) {
    const own: Tries = { ...tries, faults: tries.faults ?? faultsOf(patch) };
    const caught = await firstFailure(patch, own);
    if (caught) {
      const seeds = caught.seed - tries.from + 1;
      const kinds = own.faults?.join() ?? '';
      if (seeds > (honest.get(kinds)?.seeds ?? 0)) honest.set(kinds, { ...own, seeds });
      say(`${patch.padEnd(44)} caught by ${caught.oracle} after ${seeds} seeds: ${caught.failure?.split('\n')[0]}`);
    } else {
      faults += 1;
      say(`${patch.padEnd(44)} NOT CAUGHT in ${tries.seeds} seeds`);
    }
  }
  for (const same of honest.values()) {
    const failed = await failureOf(undefined, same);
    if (failed) faults += 1;
    say(
      failed
        ? `the sources as they are FAIL seed ${failed.seed}: ${failed.failure}`
        : `the sources as they are pass the same ${same.seeds} seeds${same.faults ? ` of ${same.faults.join(', ')}` : ''}`,
    );
  }
  return faults > 0 ? 1 : 0;
}

/** A patch that is seldom met among all kinds of fault names those that lead to it, in a line above its first file: `Faults: look-up lag, …`. */
function faultsOf(patch: string): readonly string[] | undefined {
  const named = /^Faults: (.+)$/m.exec(readFileSync(join(PATCHES, patch), 'utf8'))?.[1];
  return named?.split(',').map((name) => name.trim());
}

async function firstFailure(patch: string, tries: Tries): Promise<SeedResult | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'eci-fleet-mutation-'));
  try {
    for (const part of NEEDED) {
      mkdirSync(join(folder, part), { recursive: true });
      cpSync(join(ROOT, part), join(folder, part), {
        recursive: true,
        filter: (path) => !path.endsWith('.spec.ts') && !path.includes('node_modules'),
      });
    }
    cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    // Fails loudly when the sources have moved on and the patch has not.
    execFileSync('patch', ['--strip=1', '--fuzz=0', '--no-backup-if-mismatch', '--input', join(PATCHES, patch)], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return await failureOf(pathToFileURL(join(folder, 'test/simulation/worker.ts')), tries);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function failureOf(module: URL | undefined, { seeds, from, faults }: Tries): Promise<SeedResult | undefined> {
  let failed: SeedResult | undefined;
  await runSeeds({
    seeds: range(from, seeds),
    ...(module && { module }),
    ...(faults && { only: faults }),
    onResult: (result) => {
      if (result.failure !== undefined && (failed === undefined || result.seed < failed.seed)) failed = result;
      return failed === undefined;
    },
  });
  return failed;
}
