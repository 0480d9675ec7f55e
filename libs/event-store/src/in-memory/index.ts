/**
 * The event store in memory, for simulations: the same promises as on PostgreSQL, proved by the same contract suite, on a clock that is given.
 *
 * Not for production: nothing outlives the process.
 */
export { aroundEachCall } from './around-each-call.ts';
export { InMemoryCatalogue } from './in-memory-catalogue.ts';
export { InMemoryCheckpoints } from './in-memory-checkpoints.ts';
export { InMemoryDatabase } from './in-memory-database.ts';
export { InMemoryEffectQueue } from './in-memory-effect-queue.ts';
export { InMemoryEventStore } from './in-memory-event-store.ts';
export { InMemoryGateQueue } from './in-memory-gate-queue.ts';
export { InMemoryTimerQueue } from './in-memory-timer-queue.ts';
