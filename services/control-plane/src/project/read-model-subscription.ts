import { asSqlClient, PostgresCheckpoints, Subscription, TransactionRunner } from '#libs/event-store';
import type { AsideItems } from '#libs/observability';
import type { DataSource, EntityManager } from 'typeorm';
import type { Parts } from '../parts.ts';
import { streamsToldBy, type Projection } from '../streams/projection.ts';
import { LEASE_MS } from '../supervised-loop.ts';

/** TypeORM's transactions: rows of the read model and the checkpoint are written by one connection, and committed together. */
class TypeOrmTransactions extends TransactionRunner<EntityManager> {
  private readonly dataSource: DataSource;

  constructor(dataSource: DataSource) {
    super();
    this.dataSource = dataSource;
  }

  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.dataSource.transaction(work);
  }
}

/** Events of one round: a storm costs few transactions, and none of them lasts a second. */
const BATCH = 1_000;

/**
 * The subscription that keeps the rows of these projections, in their order; one of another name reads from the first event, into the same tables. A
 * stream that one of them cannot make rows of is parked for all of them.
 */
export function subscriptionOf(
  projections: readonly Projection[],
  parts: Pick<Parts, 'pool' | 'dataSource' | 'store' | 'clock' | 'random' | 'ids'>,
  aside: Pick<AsideItems, 'put' | 'done'>,
  name = 'project',
): Subscription<EntityManager> {
  const { store } = parts;
  return new Subscription({
    name,
    owner: parts.ids.uuid(),
    store,
    checkpoints: new PostgresCheckpoints(asSqlClient(parts.pool), new TypeOrmTransactions(parts.dataSource)),
    handler: async (events, manager) => {
      for (const projection of projections) {
        const streamIds = streamsToldBy(projection, events);
        if (streamIds.length > 0) await projection.apply(streamIds, manager, store);
      }
    },
    onParked: ({ streamId, error, againMs }) => aside.put(streamId, error, againMs),
    onFlowing: ({ streamId }) => aside.done(streamId),
    batchSize: BATCH,
    leaseMs: LEASE_MS,
    clock: parts.clock,
    random: parts.random,
  });
}
