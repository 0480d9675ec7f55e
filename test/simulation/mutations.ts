/**
 * `npm run simulate:mutations`: breaks the product on purpose, one patch at a time on a copy of its sources, and expects the simulation to notice;
 * the sources as they are must keep every promise under the same seeds.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
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
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    only: { type: 'string' },
    faults: { type: 'string' },
  },
});
const faults = values.faults?.split(',').map((name) => name.trim());
const seeds = Number(values.seeds);
const from = Number(values.from);
const patches = readdirSync(PATCHES)
  .filter((name) => name.endsWith('.patch') && (values.only === undefined || name.includes(values.only)))
  .sort();

let worst = 0;
let survivors = 0;
for (const patch of patches) {
  const caught = await firstFailure(patch);
  if (caught) {
    const runs = caught.seed - from + 1;
    worst = Math.max(worst, runs);
    say(`${patch.padEnd(44)} caught by ${caught.oracle} after ${runs} seeds: ${caught.failure?.split('\n')[0]}`);
  } else {
    survivors += 1;
    say(`${patch.padEnd(44)} NOT CAUGHT in ${seeds} seeds`);
  }
}
const honest = await failureOf(undefined, worst);
say(
  honest
    ? `the sources as they are FAIL seed ${honest.seed}: ${honest.failure}`
    : `the sources as they are pass the same ${worst} seeds`,
);
process.exit(survivors > 0 || honest ? 1 : 0);

async function firstFailure(patch: string): Promise<SeedResult | undefined> {
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
    return await failureOf(pathToFileURL(join(folder, 'test/simulation/worker.ts')), seeds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function failureOf(module: URL | undefined, count: number): Promise<SeedResult | undefined> {
  let failed: SeedResult | undefined;
  await runSeeds({
    seeds: range(from, count),
    ...(module && { module }),
    ...(faults && { only: faults }),
    onResult: (result) => {
      if (result.failure !== undefined && (failed === undefined || result.seed < failed.seed)) failed = result;
      return failed === undefined;
    },
  });
  return failed;
}
