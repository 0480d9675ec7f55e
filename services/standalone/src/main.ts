import { createWriteStream } from 'node:fs';
import { createLogger, withoutRepeats } from '#libs/observability';
import { runProgram } from '#libs/runtime';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { kubectlCommand } from './kubectl-command.ts';
import { launch, type RunningFleet } from './launch.ts';
import { startLiveView } from './live-view.ts';
import { HELP, OPTIONS, readOptions, type Options } from './options.ts';
import { startPlainView } from './plain-view.ts';

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(options: Options): Promise<number> {
  // Asked to stop: once from outside, at any time, also while things still start.
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
  let folder: DataFolder;
  try {
    folder = await openDataFolder(options.dataDir);
  } catch (error) {
    process.stderr.write(`ECI Fleet cannot start: ${(error as Error).message}\n`);
    return 1;
  }
  // The terminal belongs to the view.
  const logger = withoutRepeats(
    createLogger({
      level: 'info',
      service: 'standalone',
      destination: createWriteStream(folder.logFile, { flags: 'a', mode: 0o600 }),
    }),
    Date.now,
  );
  let fleet: RunningFleet;
  try {
    const starting = launch(options, folder, process.env, { logger, step: (text) => print(`… ${text}`) });
    const first = await Promise.race([starting, asked.then(() => 'asked' as const)]);
    if (first === 'asked') {
      print('stopping');
      await (await starting).stop();
      await folder.release();
      return 0;
    }
    fleet = first;
  } catch (error) {
    await folder.release({ keep: true });
    process.stderr.write(`ECI Fleet cannot start: ${(error as Error).message}\nIts log: ${folder.logFile}\n`);
    return 1;
  }
  if (options.plain) {
    print(`API on ${fleet.apiUrl}, its documentation on ${fleet.apiUrl}/api/docs`);
    print(`serving cluster ${fleet.clusterId}; a real cluster instead: npm start -- --kubeconfig <file>`);
    print(`the cloud is simulated: break it by ${fleet.controlUrl}`);
    print(`its pods: ${kubectlCommand(fleet.kubeconfig)}`);
    print(`logs in ${folder.logFile}`);
  }
  const stopView = options.plain ? startPlainView(fleet.apiUrl, print) : startLiveView(fleet, process.stdout);
  await asked;
  stopView();
  print('stopping');
  await fleet.stop();
  await folder.release();
  print('stopped');
  return 0;
}

process.exitCode = await runProgram(
  {
    name: 'npm start',
    help: () => HELP,
    options: OPTIONS,
    run: (given) => main(readOptions(given, process.stdout.isTTY === true)),
  },
  process.argv.slice(2),
).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
});
