import { notGiven } from '#libs/runtime';
import { z } from 'zod';
import { readScenario, type Scenario } from './scenario.ts';

interface Variable {
  readonly name: string;
  readonly meaning: string;
  readonly default: string;
}

export const VARIABLES: readonly Variable[] = [
  {
    name: 'ECI_SIMULATOR_HOST',
    meaning: 'Address to listen on. On a loopback address only requests to a loopback name are answered.',
    default: '127.0.0.1',
  },
  { name: 'ECI_SIMULATOR_PORT', meaning: 'TCP port; 0 = any free one.', default: '18080' },
  {
    name: 'ECI_SIMULATOR_SCENARIO',
    meaning: 'JSON or YAML file with the world, stock, latencies, faults and rules to begin with.',
    default: 'the demo world',
  },
  {
    name: 'ECI_SIMULATOR_DATA_DIR',
    meaning: 'Folder that keeps groups and token memory between runs.',
    default: 'none: in memory',
  },
  {
    name: 'ECI_SIMULATOR_ACCESS_KEY_ID',
    meaning: 'A further AccessKey of account "demo"; needs the secret.',
    default: 'none: the demo key only',
  },
  { name: 'ECI_SIMULATOR_ACCESS_KEY_SECRET', meaning: 'Its secret.', default: 'none' },
  {
    name: 'ECI_SIMULATOR_CONTROL_TOKEN',
    meaning: 'What callers of the control API show, 20 characters or more.',
    default: 'a random one, printed at the start',
  },
  {
    name: 'ECI_SIMULATOR_LEDGER_SECRETS',
    meaning:
      'true: the ledger of requests keeps values of variables, files and passwords as they are, for tests; else their digests.',
    default: 'false',
  },
  { name: 'LOG_LEVEL', meaning: 'debug, info, warn, error or silent.', default: 'info' },
];

const schema = z.object({
  ECI_SIMULATOR_HOST: z.string().min(1).default('127.0.0.1'),
  ECI_SIMULATOR_PORT: z.coerce.number('must be a number').int('must be an integer').min(0).max(65_535).default(18_080),
  ECI_SIMULATOR_SCENARIO: z.string().min(1).optional(),
  ECI_SIMULATOR_DATA_DIR: z.string().min(1).optional(),
  ECI_SIMULATOR_ACCESS_KEY_ID: z.string().min(1).optional(),
  ECI_SIMULATOR_ACCESS_KEY_SECRET: z.string().min(1).optional(),
  ECI_SIMULATOR_CONTROL_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9._~-]{20,200}$/, 'must be 20–200 of A-Z, a-z, 0-9, ., _, ~ and -')
    .optional(),
  ECI_SIMULATOR_LEDGER_SECRETS: z.enum(['true', 'false'], 'must be true or false').default('false'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export interface EnvironmentConfig {
  readonly host: string;
  readonly port: number;
  readonly scenario?: Scenario | undefined;
  readonly dataDir?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly accessKeySecret?: string | undefined;
  readonly controlToken?: string | undefined;
  readonly ledgerSecrets: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** Reads the environment and the scenario file; throws one Error with a line for every fault in either. Each names what was given, but for keys. */
export async function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<EnvironmentConfig> {
  const faults: string[] = [];
  // Compose files and shells pass on unset variables as empty ones.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  for (const issue of parsed.error?.issues ?? []) {
    const name = String(issue.path[0]);
    const value = /ACCESS_KEY|TOKEN/.test(name) ? undefined : given[name];
    faults.push(`${name}: ${issue.message}${value === undefined ? '' : notGiven(value)}`);
  }
  if ('ECI_SIMULATOR_ACCESS_KEY_ID' in given !== 'ECI_SIMULATOR_ACCESS_KEY_SECRET' in given)
    faults.push('ECI_SIMULATOR_ACCESS_KEY_ID, ECI_SIMULATOR_ACCESS_KEY_SECRET: set both or none');
  let scenario: Scenario | undefined;
  const file = given['ECI_SIMULATOR_SCENARIO'];
  if (file) {
    try {
      scenario = await readScenario(file);
    } catch (error) {
      faults.push(...(error as Error).message.split('\n').map((line) => `ECI_SIMULATOR_SCENARIO: ${line}`));
    }
  }
  if (!parsed.success || faults.length > 0) throw new Error(faults.join('\n'));
  const { data } = parsed;
  return {
    host: data.ECI_SIMULATOR_HOST,
    port: data.ECI_SIMULATOR_PORT,
    scenario,
    dataDir: data.ECI_SIMULATOR_DATA_DIR,
    accessKeyId: data.ECI_SIMULATOR_ACCESS_KEY_ID,
    accessKeySecret: data.ECI_SIMULATOR_ACCESS_KEY_SECRET,
    controlToken: data.ECI_SIMULATOR_CONTROL_TOKEN,
    ledgerSecrets: data.ECI_SIMULATOR_LEDGER_SECRETS === 'true',
    logLevel: data.LOG_LEVEL,
  };
}

export function help(): string {
  const width = Math.max(...VARIABLES.map(({ name }) => name.length));
  const lines = VARIABLES.map(
    (variable) => `  ${variable.name.padEnd(width)}  ${variable.meaning} Default: ${variable.default}.`,
  );
  return [
    'eci-simulator: answers the ECI API (2018-08-08) on this machine, signatures checked, without running any container.',
    '',
    'Usage: npm run eci-simulator [-- --help]',
    '',
    'Environment:',
    ...lines,
    '',
    'GET /control/v1 on the same port lists the control API; it wants the token. SIGTERM or SIGINT stops it.',
  ].join('\n');
}
