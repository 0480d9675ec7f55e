import { intentKey } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import type { CallFate } from '../engine/process.ts';
import { between, oneOf, type FaultKind } from './fault.ts';

const DATABASE = /^(store|queue|gates|timers|checkpoints|scopes|orphans|inventories|quarantine|deferrals|holds)\./;

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code });

/** A fault of calls to the database with a chance for each. */
function ofCalls(name: string, calls: RegExp, chance: number, fate: (drawn: number) => CallFate): FaultKind {
  return {
    name,
    inject: (world, fault, random) => {
      world.rule(Math.min(fault.forMs, 60_000), (_, call) => {
        if (!calls.test(call) || random.next() >= chance) return undefined;
        world.hit(fault.kind);
        return fate(random.next());
      });
    },
  };
}

/** Whether a call is about this stream, alone or among others. */
export const isAbout = (streamId: string, [items]: readonly unknown[]): boolean =>
  Array.isArray(items) &&
  items.some((item) => item === streamId || (item as { streamId?: unknown } | null)?.streamId === streamId);

export const storeFaults: readonly FaultKind[] = [
  ofCalls('store error before it is done', DATABASE, 0.15, () => ({
    refuse: failure('57P01', 'terminating connection due to administrator command'),
  })),
  ofCalls('store error after it is done', DATABASE, 0.15, () => ({
    loseAnswer: failure('08006', 'Connection terminated unexpectedly'),
  })),
  ofCalls('serialization failure', /^(store\.append|queue\.claim)$/, 0.3, () => ({
    refuse: failure('40001', 'could not serialize access'),
  })),
  ofCalls('slow store', DATABASE, 0.3, (drawn) => ({ delayMs: Math.floor(drawn * 4_000) })),
  {
    // Nothing is away: one pod's stream can be neither read nor written, whoever tries, alone or among others.
    name: 'one item throws',
    inject: (world, fault, random) => {
      if (world.pods.size === 0) return;
      const { clusterId, uid } = oneOf(random, [...world.pods.values()]);
      const streamId = streamIdOf(clusterId, uid);
      world.unreadable.add(intentKey(clusterId, uid));
      world.rule(Math.min(fault.forMs, 60_000), (_, call, args) => {
        if (!/^(store|queue)\./.test(call) || !isAbout(streamId, args)) return undefined;
        world.hit(fault.kind);
        return { refuse: new Error('this one cannot be handled') };
      });
    },
  },
  {
    name: 'store away',
    inject: (world, fault, random) => {
      world.rule(between(random, 3_000, 40_000), (_, call) => {
        if (!DATABASE.test(call)) return undefined;
        world.hit(fault.kind);
        return { refuse: failure('ECONNREFUSED', 'connect ECONNREFUSED'), delayMs: 5 };
      });
    },
  },
];
