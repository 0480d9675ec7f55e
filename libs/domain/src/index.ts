/**
 * Pure decisions about container groups and where they run.
 *
 * Hides: every rule about retries, unknown outcomes, stops, twins and ends. Guarantees: no I/O, no clock, no randomness; the same inputs give
 * the same events, and deciding twice changes nothing. Does not: know Kubernetes, the cloud's wire, or storage.
 */
export * from './account/decider.ts';
export type * from './account/events.ts';
export * from './cluster/decide.ts';
export * from './cluster/decider.ts';
export type * from './cluster/events.ts';
export * from './cluster/state.ts';
export * from './container-group/commands.ts';
export * from './container-group/consequences.ts';
export { isCounted } from './container-group/counted-stop.ts';
export { decide } from './container-group/decide.ts';
export * from './container-group/decider.ts';
export * from './container-group/effects.ts';
export * from './container-group/events.ts';
export { evolve, fold } from './container-group/evolve.ts';
export * from './container-group/questions.ts';
export * from './container-group/shown.ts';
export * from './container-group/state.ts';
export * from './cost/hourly-cost.ts';
export * from './decider.ts';
export * from './evidence/absences.ts';
export * from './evidence/create-proof.ts';
export * from './evidence/deletion-proof.ts';
export * from './evidence/visible.ts';
export * from './evidence/vouched.ts';
export * from './evidence/waited.ts';
export * from './guard/mass-delete-guard.ts';
export * from './orphan/consequences.ts';
export * from './orphan/decide.ts';
export * from './orphan/decider.ts';
export * from './orphan/events.ts';
export * from './orphan/state.ts';
export * from './placement/choose-placement.ts';
export * from './placement/gates.ts';
export type * from './placement/history.ts';
export type * from './placement/need.ts';
export { canonical } from './same.ts';
export * from './unknown-event.ts';
