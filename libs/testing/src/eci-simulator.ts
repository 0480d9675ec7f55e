import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RigUnavailable } from './preparing/rig-unavailable.ts';
import { freePort } from './processes/free-port.ts';
import { startProcess, type TestProcess } from './processes/process.ts';
import { repositoryFolder } from './repository.ts';

export interface EciSimulatorOptions {
  /** Default: a free one. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface EciSimulatorRig {
  /** `http://127.0.0.1:<port>`: of the cloud's API, and of the control API below `/control/v1`. */
  readonly endpoint: string;
  readonly process: TestProcess;
  /** Ends it and removes its log, unless `keepLogs`. */
  stop(options?: { keepLogs?: boolean }): Promise<void>;
}

/** The ECI simulator as a process of its own, from the build in `dist/`. */
export async function startEciSimulator(options: EciSimulatorOptions = {}): Promise<EciSimulatorRig> {
  const program = join(repositoryFolder, 'dist', 'services', 'eci-simulator', 'src', 'main.js');
  if (!existsSync(program)) {
    throw new RigUnavailable(`The ECI simulator is not built (${program} is missing): run \`npm run build\`.`);
  }
  const port = options.port ?? (await freePort());
  const endpoint = `http://127.0.0.1:${port}`;
  const simulator = await startProcess({
    name: 'eci-simulator',
    command: process.execPath,
    args: [program],
    cwd: repositoryFolder,
    env: { ECI_SIMULATOR_PORT: String(port), ...options.env },
    ready: async () => (await fetch(`${endpoint}/control/v1/health`)).ok,
    readyDeadlineMs: 30_000,
  });
  return {
    endpoint,
    process: simulator,
    async stop({ keepLogs = false } = {}) {
      await simulator.stop(5_000);
      if (keepLogs) simulator.keepLog();
      await simulator.removeLog();
    },
  };
}
