/** Configuration of the control plane: read once from the environment, checked as a whole, every fault said at once. */
import {
  describe,
  Given,
  helpLines,
  readSections,
  variablesOf,
  type Environment,
  type ReadFile,
  type Section,
  type Settings,
} from '#libs/configuration';
import { logging } from '#libs/observability';
import { accounts } from './accounts/accounts-config.ts';
import { audit, auditorVariables } from './audit/variables.ts';
import { database } from './config/database.ts';
import { fleet } from './config/fleet.ts';
import { kafka, requireBrokers } from './config/kafka.ts';
import { holds } from './holds/variables.ts';
import { http } from './http/variables.ts';
import { intake } from './intake/variables.ts';
import { keys } from './keys/variables.ts';
import { orphans } from './orphans/variables.ts';
import { quarantine } from './quarantine/variables.ts';
import { sessions } from './sessions/variables.ts';

/** What slices are configured by; a new slice adds its own here. */
const SECTIONS = [
  database,
  kafka,
  fleet,
  http,
  keys,
  sessions,
  audit,
  accounts,
  holds,
  orphans,
  intake,
  quarantine,
  logging,
] as const satisfies readonly Section[];

export interface ControlPlaneConfig extends Settings<typeof SECTIONS> {
  /** One variable of the environment, for credentials that accounts refer to by name. */
  readonly variable: (name: string) => string | undefined;
}

/** Every variable: those of the control plane, and those that only its command line reads. */
export const TABLE = { ...variablesOf(SECTIONS), ...auditorVariables };
export const VARIABLES = describe(TABLE);

interface ReadConfigOptions {
  /** False when messaging is given to the control plane, which then needs no brokers; default true. */
  readonly needsKafka?: boolean;
  readonly readFile?: ReadFile;
}

/** Reads the whole configuration; throws `ConfigurationError` with every fault. */
export function readConfig(
  environment: Environment,
  { needsKafka = true, readFile }: ReadConfigOptions = {},
): ControlPlaneConfig {
  const given = new Given(environment, readFile);
  if (needsKafka) requireBrokers(given);
  return { ...readSections(SECTIONS, given), variable: (name) => environment[name] };
}

/** Text of `--help`. */
export function helpText(): string {
  return [
    'Control plane of ECI Fleet: turns pod intents into container groups and says how they are.',
    '',
    'Usage: control-plane [--help] [--print-jwks] [--make-keys <folder>]',
    '  --make-keys   makes the master key, the token key and the audit key in the folder, mode 0600, unless they are there; prints their variables',
    "  --print-jwks  prints the public half of FLEET_TOKEN_KEY as a JWKS, for brokers that check agents' tokens",
    '',
    'Configuration is read from the environment:',
    ...helpLines(TABLE),
    '',
  ].join('\n');
}
