/**
 * Everything on a wire between the parts of ECI Fleet, as zod schemas with their types.
 *
 * Hides: nothing; it is the agreement. Guarantees: what parses here is what readers may rely on. Does not: hold logic, or import anything but
 * zod and types of the domain.
 */
export * from './agent-session.ts';
export * from './cluster-topic.ts';
export * from './container-group-spec.ts';
export * from './intent.ts';
export * from './readable.ts';
export * from './text.ts';
export * from './topics.ts';
