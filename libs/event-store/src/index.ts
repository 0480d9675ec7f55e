/**
 * Events, and what lies beside them, on PostgreSQL.
 *
 * Hides: SQL, transactions, partitions, locks and the order of commits. Guarantees: a stream's versions are dense and decided against the newest;
 * rows beside a stream change with its events or not at all; every reader sees every event once, and no stream backwards. Does not: know any
 * business word, retry a decision, or open what is sealed. docs/developers/event-store.md explains the tables.
 */
export * from './event-store.ts';
export { BEGINNING, CursorOfAnotherLog, InvalidCursor, compareCursors, decodeCursor, encodeCursor } from './cursor.ts';
export { databaseSettings, databaseVariables } from './database-link.ts';
export { digestOf } from './digest.ts';
export { InvalidAppend } from './append-checks.ts';
export { Nudge } from './nudge.ts';
export { CONNECTION_OPTIONS, createPool, PATIENCE } from './pool.ts';
export { PostgresTransactions, TransactionRunner, asSqlClient, type SqlClient } from './sql-client.ts';
export { PostgresEventStore, type Lag } from './postgres-event-store.ts';
export { PostgresEffectQueue, type LaneDepth } from './postgres-effect-queue.ts';
export { PostgresGateQueue } from './postgres-gate-queue.ts';
export { PostgresTimerQueue } from './postgres-timer-queue.ts';
export { Catalogue, type AbridgedEvent } from './catalogue.ts';
export { PostgresCatalogue } from './postgres-catalogue.ts';
export { eventsOfTypes, holdStreams, type TimedEvent } from './held-streams.ts';
export { EventStoreAround } from './store-around.ts';
export { Checkpoints } from './checkpoints.ts';
export { checkpointTransaction, PostgresCheckpoints } from './postgres-checkpoints.ts';
export { Subscription } from './subscription.ts';
export * from './in-memory/index.ts';
export { TryLater, databaseMayCome, isBadData, isTrouble } from './trouble.ts';
export { WakeUp } from './wake-up.ts';
export { watchedDriver, WatchedPool } from './watched-pool.ts';
