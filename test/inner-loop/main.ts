/** `npm run test:int -- <folder>`: the integration specs of one folder. docs/developers/testing.md. */
import { WrongUsage } from '#libs/runtime';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chosenSpecs } from './chosen-specs.ts';

const HELP = `The integration specs of one folder, on real parts that are started for them.

  npm run test:int -- libs/event-store                          those under the folder
  npm run test:int -- services/control-plane/src/audit -t seal  only tests with this in their name
  npm run test:int -- test/control-plane --watch                again whenever a file changes

Name folders or files first; options go to vitest as they are. Two specs run the simulator from dist/: \`npm run build\` after a change of it.
Parts that are missing are prepared by \`npm run rigs\`.
`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function main(args: readonly string[]): number {
  if (args[0] === '--help' || args[0] === '-h') {
    process.stdout.write(HELP);
    return 0;
  }
  try {
    const { files, options } = chosenSpecs(args, ROOT);
    const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
    const mode = options.includes('--watch') ? [] : ['run'];
    const run = [vitest, ...mode, '--project', 'integration', ...files, ...options];
    return spawnSync(process.execPath, run, { cwd: ROOT, stdio: 'inherit' }).status ?? 1;
  } catch (error) {
    if (!(error instanceof WrongUsage)) throw error;
    process.stderr.write(`test:int: ${error.message}; see --help\n`);
    return 2;
  }
}

process.exit(main(process.argv.slice(2)));
