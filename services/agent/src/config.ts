/** Configuration of the agent: read once from the environment, checked as a whole, every fault said at once. */
import {
  describe,
  Given,
  helpLines,
  readSections,
  variablesOf,
  type Environment,
  type Section,
  type Settings,
} from '#libs/configuration';
import { logging } from '#libs/observability';
import { kubernetes } from './config/kubernetes.ts';
import { health } from './health/variables.ts';
import { inventory } from './inventory/variables.ts';
import { node } from './node/variables.ts';
import { profile } from './profile/variables.ts';
import { kafka } from './publish/variables.ts';
import { resolve } from './resolve/variables.ts';
import { session } from './session/variables.ts';
import { steering } from './steering/variables.ts';

/** What slices are configured by; a new slice adds its own here. */
const SECTIONS = [
  session,
  kubernetes,
  kafka,
  node,
  profile,
  resolve,
  inventory,
  steering,
  health,
  logging,
] as const satisfies readonly Section[];

/** What the agent runs with. */
export type AgentConfig = Settings<typeof SECTIONS>;

/** Every variable the agent reads. Nothing else of the environment is looked at. */
export const TABLE = variablesOf(SECTIONS);
export const VARIABLES = describe(TABLE);

/** Reads the configuration from an environment. Throws `ConfigurationError` with every fault; each names what was given, but for secrets. */
export function loadAgentConfig(environment: Environment): AgentConfig {
  return readSections(SECTIONS, new Given(environment));
}

/** Text of `--help`. */
export function helpText(): string {
  const head = 'The ECI Fleet agent: the virtual node of one Kubernetes cluster.';
  return `${head}\n\nIt is configured by environment variables:\n\n${helpLines(TABLE).join('\n')}\n`;
}
