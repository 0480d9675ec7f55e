/**
 * Pure decisions about container groups and where they run.
 *
 * Hides: every rule about retries, unknown outcomes, stops, twins and ends. Guarantees: no I/O, no clock, no randomness; the same inputs give
 * the same events, and deciding twice changes nothing. Does not: know Kubernetes, the cloud's wire, or storage.
 */
export * from './container-group/commands.ts';
export * from './container-group/effects.ts';
export * from './container-group/events.ts';
export * from './placement/need.ts';
