import {
  describe,
  flag,
  Given,
  helpLines,
  port,
  type Environment,
  type Values,
  type Variables,
} from '#libs/configuration';
import { LOG_LEVELS, type LogLevel } from '#libs/observability';
import { z } from 'zod';
import { readScenario, type Scenario } from './scenario.ts';

export const TABLE = {
  ECI_SIMULATOR_HOST: {
    meaning: 'Address to listen on. On a loopback address only requests to a loopback name are answered.',
    default: '127.0.0.1',
  },
  ECI_SIMULATOR_PORT: { meaning: 'TCP port; 0 = any free one.', default: '18080', schema: port },
  ECI_SIMULATOR_SCENARIO: {
    meaning: 'JSON or YAML file with the world, stock, latencies, faults and rules to begin with.',
    otherwise: 'the demo world',
  },
  ECI_SIMULATOR_DATA_DIR: {
    meaning: 'Folder that keeps groups and token memory between runs.',
    otherwise: 'none: in memory',
  },
  ECI_SIMULATOR_ACCESS_KEY_ID: {
    secret: true,
    meaning: 'A further AccessKey of account "demo"; needs the secret.',
    otherwise: 'none: the demo key only',
  },
  ECI_SIMULATOR_ACCESS_KEY_SECRET: { secret: true, meaning: 'Its secret.', otherwise: 'none' },
  ECI_SIMULATOR_CONTROL_TOKEN: {
    secret: true,
    meaning: 'What callers of the control API show, 20 characters or more.',
    otherwise: 'a random one, printed at the start',
    schema: z.string().regex(/^[A-Za-z0-9._~-]{20,200}$/, 'must be 20–200 of A-Z, a-z, 0-9, ., _, ~ and -'),
  },
  ECI_SIMULATOR_LEDGER_SECRETS: {
    meaning:
      'true: the ledger of requests keeps values of variables, files and passwords as they are, for tests; else their digests.',
    default: 'false',
    schema: flag,
  },
  LOG_LEVEL: { meaning: 'debug, info, warn, error or silent.', default: 'info', schema: z.enum(LOG_LEVELS) },
} as const satisfies Variables;

export const VARIABLES = describe(TABLE);

export interface EnvironmentConfig {
  readonly host: string;
  readonly port: number;
  readonly scenario?: Scenario | undefined;
  readonly dataDir?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: string | undefined;
  readonly controlToken?: string | undefined;
  readonly ledgerSecrets: boolean;
  readonly logLevel: LogLevel;
}

/** Reads the environment and the scenario file; throws `ConfigurationError` with every fault in either. Each names what was given, but for keys. */
export async function readConfig(environment: Environment): Promise<EnvironmentConfig> {
  const given = new Given(environment);
  const data = given.of(TABLE);
  given.together('ECI_SIMULATOR_ACCESS_KEY_ID', 'ECI_SIMULATOR_ACCESS_KEY_SECRET');
  const scenario = await scenarioOf(given);
  return given.end(data && settingsOf(data, scenario));
}

async function scenarioOf(given: Given): Promise<Scenario | undefined> {
  const { ECI_SIMULATOR_SCENARIO } = TABLE;
  const file = given.of({ ECI_SIMULATOR_SCENARIO })?.ECI_SIMULATOR_SCENARIO;
  if (file === undefined) return undefined;
  try {
    return await readScenario(file);
  } catch (error) {
    for (const line of (error as Error).message.split('\n')) given.fault('ECI_SIMULATOR_SCENARIO', line);
    return undefined;
  }
}

const settingsOf = (data: Values<typeof TABLE>, scenario: Scenario | undefined): EnvironmentConfig => ({
  host: data.ECI_SIMULATOR_HOST,
  port: data.ECI_SIMULATOR_PORT,
  scenario,
  dataDir: data.ECI_SIMULATOR_DATA_DIR,
  accessKeyId: data.ECI_SIMULATOR_ACCESS_KEY_ID,
  accessKeySecret: data.ECI_SIMULATOR_ACCESS_KEY_SECRET,
  controlToken: data.ECI_SIMULATOR_CONTROL_TOKEN,
  ledgerSecrets: data.ECI_SIMULATOR_LEDGER_SECRETS,
  logLevel: data.LOG_LEVEL,
});

export function help(): string {
  return [
    'eci-simulator: answers the ECI API (2018-08-08) on this machine, signatures checked, without running any container.',
    '',
    'Usage: npm run eci-simulator [-- --help]',
    '',
    'Environment:',
    ...helpLines(TABLE),
    '',
    'GET /control/v1 on the same port lists the control API; it wants the token. SIGTERM or SIGINT stops it.',
  ].join('\n');
}
