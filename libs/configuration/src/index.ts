/**
 * Variables of the environment: each is said once, with its meaning, unit, default and what it may be, and reading it, `--help` and the page of the
 * documentation come from that.
 *
 * Hides: how a value is found (the environment, or a file that a variable names), and how faults are collected. Guarantees: every fault of a
 * configuration is said at once, each with its variable and what was given, and no value that may be a secret is repeated. Does not: know any
 * variable; each service has a table of its own, made of the sections of its slices.
 */
export { ConfigurationError } from './configuration-error.ts';
export { describe, helpLines, markdownTable, type DescribedVariable } from './describe.ts';
export { duration, durationMs, durationText } from './duration.ts';
export { Given, type Environment, type ReadFile } from './given.ts';
export { json, parseJson } from './json.ts';
export { flag, list, port } from './schemas.ts';
export { readSections, section, variablesOf, type Section, type Settings } from './section.ts';
export type { Values, Variables } from './variable.ts';
