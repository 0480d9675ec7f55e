/** `npm run fuzz:api`: requests that nobody would make, for every route of the API, against a control plane of its own. docs/developers/testing.md. */
import { runProgram, wholeNumber } from '#libs/runtime';
import { fuzz } from '../../services/control-plane/spec/http/fuzz.ts';
import { percentile } from '../bench/figures.ts';
import { startRig, Undo } from '../bench/rig.ts';

const say = (line = ''): void => void process.stdout.write(`${line}\n`);

const HELP = `Requests that nobody would make, for every route of the API's OpenAPI document, until all are answered without 5xx.

  npm run fuzz:api                                50,000 requests
  npm run fuzz:api -- --requests 5000 --seed 7    what \`npm test\` sends

  --requests N  how many (50,000)
  --seed N      what they are made from; the same seed makes the same ones (1)
  --at-once N   under way at a time (8)
  --help        this text

Starts a Kafka broker, a PostgreSQL server and a control plane, and ends them. Exit code 1: a request was answered with 5xx, with a word of what lies
behind the API, or not at all; the first 20 are printed.
`;

async function run(requests: number, seed: number, atOnce: number): Promise<number> {
  const undo = new Undo();
  try {
    const rig = await startRig(undo, undefined);
    const { url } = await rig.controlPlane({ roles: 'api' });
    const began = performance.now();
    const result = await fuzz(url, {
      requests,
      seed,
      atOnce,
      onProgress: (sent) => {
        if (process.stderr.isTTY) process.stderr.write(`\r${sent} of ${requests}`);
      },
    });
    const seconds = (performance.now() - began) / 1_000;
    say(
      `${result.sent} requests from seed ${seed} in ${Math.round(seconds)} s, ${Math.round(result.sent / seconds)} a second`,
    );
    const statuses = [...result.statuses].sort(([a], [b]) => a - b);
    say(`answers: ${statuses.map(([status, count]) => `${status}×${count}`).join(', ')}`);
    say(
      `p50 ${Math.round(percentile(result.milliseconds, 0.5))} ms, p99 ${Math.round(percentile(result.milliseconds, 0.99))} ms`,
    );
    for (const fault of result.faults) say(`\n${fault}`);
    return result.faults.length === 0 ? 0 : 1;
  } finally {
    await undo.all();
  }
}

process.exit(
  await runProgram(
    {
      name: 'fuzz:api',
      help: () => HELP,
      options: { requests: { type: 'string' }, seed: { type: 'string' }, 'at-once': { type: 'string' } },
      run: ({ requests, seed, 'at-once': atOnce }) =>
        run(
          wholeNumber('--requests', requests, 50_000, 1),
          wholeNumber('--seed', seed, 1),
          wholeNumber('--at-once', atOnce, 8, 1),
        ),
    },
    process.argv.slice(2),
  ),
);
