/**
 * Everything on a wire between the parts of ECI Fleet, and every event as it is stored, as zod schemas with their types.
 *
 * Hides: nothing; it is the agreement. Guarantees: what parses here is what readers may rely on, and an event of an old version reads as one of
 * the newest. Does not: hold other logic, or import anything but zod and types of the domain.
 */
export * from './agent-session.ts';
export * from './cluster-topic.ts';
export * from './container-group-spec.ts';
export { ACCOUNT_EVENTS } from './events/account.ts';
export { CLUSTER_EVENTS } from './events/cluster.ts';
export { CONTAINER_GROUP_EVENTS } from './events/container-group.ts';
export { ORPHAN_EVENTS } from './events/orphan.ts';
export * from './events/versions.ts';
export * from './intent.ts';
export * from './readable.ts';
export * from './text.ts';
export * from './topics.ts';
