import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RigUnavailable } from './preparing/rig-unavailable.ts';
import { freePort } from './processes/free-port.ts';
import { startProcess, type TestProcess } from './processes/process.ts';
import { repositoryFolder } from './repository.ts';

interface EciSimulatorOptions {
  /** Default: a free one. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface EciSimulatorRig {
  /** `http://127.0.0.1:<port>`: of the cloud's API, and of the control API below `/control/v1`. */
  readonly endpoint: string;
  /** Of the control API, with its token as a password: curl takes it as it is. */
  readonly controlUrl: string;
  readonly process: TestProcess;
  /** Asks the control API; anything but 200 throws with what it said. */
  control<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
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
  const controlToken = randomBytes(24).toString('base64url');
  const control = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${endpoint}/control/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${controlToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const said = (await answer.json()) as T & { message?: string };
    if (!answer.ok) throw new Error(`${method} ${path}: the simulator answered ${answer.status}: ${said.message}`);
    return said;
  };
  const simulator = await startProcess({
    name: 'eci-simulator',
    command: process.execPath,
    args: [program],
    cwd: repositoryFolder,
    env: { ECI_SIMULATOR_PORT: String(port), ECI_SIMULATOR_CONTROL_TOKEN: controlToken, ...options.env },
    ready: async () => (await control('GET', '/health')) !== undefined,
    readyDeadlineMs: 30_000,
  });
  return {
    endpoint,
    controlUrl: `http://control:${controlToken}@127.0.0.1:${port}/control/v1`,
    process: simulator,
    control,
    async stop({ keepLogs = false } = {}) {
      await simulator.stop(5_000);
      if (keepLogs) simulator.keepLog();
      await simulator.removeLog();
    },
  };
}
