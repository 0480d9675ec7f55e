import { cpus } from 'node:os';
import { runProgram } from '#libs/runtime';
import { RigUnavailable } from '#libs/testing';
import { append } from './append.ts';
import { center } from './center.ts';
import { table, type Figure } from './figures.ts';
import { intents } from './intents.ts';
import { list } from './list.ts';
import { memory } from './memory.ts';
import { live } from './live.ts';
import { noisy } from './noisy.ts';
import { HELP, OPTIONS, readOptions, type Bench, type Options } from './options.ts';
import { rebuild } from './rebuild.ts';
import { Undo } from './rig.ts';
import { running } from './running.ts';
import { storm } from './storm.ts';
import { wire } from './wire.ts';

type Run = (undo: Undo, pods: number, profile: string | undefined) => Promise<readonly Figure[]>;

const RUNS: Readonly<Record<Bench, { readonly title: string; readonly pods: number; readonly run: Run }>> = {
  append: { title: 'append', pods: 40_000, run: append },
  intents: { title: 'intents → events', pods: 10_000, run: intents },
  noisy: { title: 'calm clusters beside a loud one', pods: 2_000, run: noisy },
  wire: { title: 'bound → CreateContainerGroup on the wire', pods: 600, run: wire },
  running: { title: 'bound → Running in the API server', pods: 1_000, run: running },
  memory: { title: 'resident memory of the agent', pods: 1_000, run: memory },
  rebuild: { title: 'rebuild of the read model', pods: 1_000_000, run: rebuild },
  list: { title: 'a page of the list', pods: 10_000_000, run: list },
  center: { title: "intent → Running on the cluster's topic", pods: 1_000, run: center },
  storm: { title: 'storm of fifty clusters', pods: 2_000, run: storm },
  live: { title: 'live groups', pods: 10_000, run: live },
};

const undo = new Undo();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void undo.all().finally(() => process.exit(130)));
}

async function main({ only, pods, profile }: Options): Promise<void> {
  process.stdout.write(`${cpus().length} processors, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}\n`);
  for (const name of only) {
    const { title, pods: usual, run } = RUNS[name];
    try {
      process.stdout.write(`\n${table(title, await run(undo, pods ?? usual, profile))}`);
    } finally {
      await undo.all();
    }
  }
}

try {
  process.exitCode = await runProgram(
    { name: 'bench', help: () => HELP, options: OPTIONS, run: (given) => main(readOptions(given)) },
    process.argv.slice(2),
  );
} catch (error) {
  const text = error instanceof RigUnavailable ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`bench: ${text}\n`);
  process.exitCode = 1;
}
