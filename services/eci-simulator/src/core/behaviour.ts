import type { ContainerDefinition, GroupDefinition } from './definition.ts';
import { imageName, programOf } from './program.ts';

/** One run of a container: how long (simulated ms, null = for ever) and how it ends. */
export interface Run {
  readonly runMs: number | null;
  readonly exitCode: number;
  readonly reason?: string;
}

/** How one container of one group behaves. Plain JSON. */
export interface Behaviour {
  /** In order; the last repeats for every further restart. */
  readonly runs: readonly Run[];
  /** Failed attempts to pull the image before it succeeds; null = never succeeds. */
  readonly failedPulls: number | null;
  /** Added to what the readiness probe asks for; null = never ready. */
  readonly readyAfterMs: number | null;
  /** From SIGTERM to the end, simulated ms; undefined = the default of the latencies. */
  readonly stopMs?: number;
  readonly stopExitCode: number;
}

/** Which containers a rule is about: all that is given must match. Patterns may use `*`. */
interface BehaviourMatch {
  readonly image?: string;
  readonly container?: string;
  readonly group?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
}

export interface BehaviourRule {
  readonly id: string;
  readonly match: BehaviourMatch;
  /** Used for so many groups, then no more; absent = for all. */
  readonly count?: number;
  readonly runMs?: number | null;
  readonly exitCode?: number;
  /** Ends with exit code 137 and reason OOMKilled. */
  readonly oomKilled?: boolean;
  /** Instead of the three above: one entry per start of the container, the last repeats. */
  readonly runs?: readonly Run[];
  /** true = never pulled; a number = so many failures first. */
  readonly imagePullFails?: boolean | number;
  readonly readyAfterMs?: number | null;
  readonly stopMs?: number;
}

/** Keeps the rules in order; the first that matches a container wins. A container without a rule does what its command line says. */
export class Behaviours {
  private rules: { readonly rule: BehaviourRule; left: number }[] = [];

  add(rule: BehaviourRule): void {
    this.rules.push({ rule, left: rule.count ?? Infinity });
  }

  remove(id: string): boolean {
    const before = this.rules.length;
    this.rules = this.rules.filter(({ rule }) => rule.id !== id);
    return this.rules.length < before;
  }

  clear(): void {
    this.rules = [];
  }

  view(): readonly (BehaviourRule & { readonly left: number | null })[] {
    return this.rules.map(({ rule, left }) => ({ ...rule, left: Number.isFinite(left) ? left : null }));
  }

  /** Behaviours of all containers of a new group; a rule with a count is used up once per group. */
  of(group: GroupDefinition): { readonly containers: Behaviour[]; readonly initContainers: Behaviour[] } {
    const usedUp = new Set<{ left: number }>();
    const resolve = (container: ContainerDefinition): Behaviour => {
      const found = this.rules.find((entry) => entry.left > 0 && matches(entry.rule.match, container, group));
      if (found) usedUp.add(found);
      return behaviourOf(container, found?.rule);
    };
    const result = {
      containers: group.containers.map(resolve),
      initContainers: group.initContainers.map(resolve),
    };
    for (const entry of usedUp) entry.left -= 1;
    return result;
  }
}

function behaviourOf(container: ContainerDefinition, rule: BehaviourRule | undefined): Behaviour {
  const env = Object.fromEntries(container.env.map(({ key, value }) => [key, value]));
  const program = programOf(container.image, container.command, container.args, env);
  const exitCode = rule?.oomKilled ? 137 : (rule?.exitCode ?? program.exitCode);
  // A rule that only gives an exit code means an end; how soon is then not important.
  const runMs =
    rule?.runMs !== undefined
      ? rule.runMs
      : rule?.exitCode !== undefined || rule?.oomKilled
        ? (program.runMs ?? 0)
        : program.runMs;
  const pulls = rule?.imagePullFails ?? false;
  return {
    runs: rule?.runs?.length ? rule.runs : [{ runMs, exitCode, ...(rule?.oomKilled ? { reason: 'OOMKilled' } : {}) }],
    failedPulls: pulls === true ? null : pulls === false ? 0 : pulls,
    readyAfterMs: rule?.readyAfterMs === undefined ? 0 : rule.readyAfterMs,
    ...(rule?.stopMs === undefined ? {} : { stopMs: rule.stopMs }),
    stopExitCode: container.command.length === 0 ? 0 : 143,
  };
}

function matches(match: BehaviourMatch, container: ContainerDefinition, group: GroupDefinition): boolean {
  const has = (
    wanted: Readonly<Record<string, string>> | undefined,
    read: (key: string) => string | undefined,
  ): boolean =>
    Object.entries(wanted ?? {}).every(([key, pattern]) => {
      const value = read(key);
      return value !== undefined && like(pattern, value);
    });
  return (
    (match.image === undefined || like(match.image, container.image) || match.image === imageName(container.image)) &&
    (match.container === undefined || like(match.container, container.name)) &&
    (match.group === undefined || like(match.group, group.name)) &&
    has(match.env, (key) => container.env.find((variable) => variable.key === key)?.value) &&
    has(match.tags, (key) => group.tags.find((tag) => tag.Key === key)?.Value)
  );
}

export function like(pattern: string, value: string): boolean {
  if (!pattern.includes('*')) return pattern === value;
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`, 's').test(value);
}
