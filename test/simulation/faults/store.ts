import type { CallFate } from '../engine/process.ts';
import { between, type FaultKind } from './fault.ts';

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
