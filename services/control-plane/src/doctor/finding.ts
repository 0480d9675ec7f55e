import { describeError } from '#libs/observability';

/** What must hold in a fleet, in the order in which the doctor speaks of it. */
export const ORACLES = {
  O1: 'every accepted intent runs, ended, or visibly waits; no work is overdue',
  O2: "the cloud's open groups are our open groups",
  O3: 'no pod has two open groups',
  O4: 'streams are dense and unchanged',
  O5: 'read models equal their events',
  O6: 'calls stay within the quota',
  O7: 'no secret lies where it should not',
  O8: 'no event is older than its cause',
  O9: 'every pod of an inventory is known, and the other way round',
  O10: 'the cost ledger is the sum of the lifetimes of groups',
  O14: 'what a cluster sends is bounded, and within its bounds',
  O15: 'accounts use what operators have configured, and their keys can be read',
} as const;

export type OracleId = keyof typeof ORACLES;
export const ORACLE_IDS = Object.keys(ORACLES) as OracleId[];

/** Where something disagrees; whatever of it is known. */
export interface Where {
  readonly stream?: string;
  readonly cluster?: string;
  readonly pod?: string;
  readonly containerGroup?: string;
  /** `<account>/<region>`, a lane, a table, a reader. */
  readonly place?: string;
}

/** Something disagrees. Never holds a secret. */
export interface Finding {
  readonly oracle: OracleId;
  /** A short name of what is wrong that stays the same from one look to the next. */
  readonly kind: string;
  /** One sentence for people. */
  readonly what: string;
  readonly where: Where;
  /** ISO time, when it is known. */
  readonly since?: string;
  /** What to do now. */
  readonly next: string;
}

/** A check that could not be made for a fault of its own, or of what it looked at: the others are made all the same. */
export function failedCheck(oracle: OracleId, error: unknown, where: Where = {}): Finding {
  const reason = describeError(error).message.slice(0, 200);
  return {
    oracle,
    kind: 'check-failed',
    what: `this could not be examined: ${reason}`,
    where,
    next: 'the others were examined; a newer version may have written what this one cannot read, else report it',
  };
}

/** The same disagreement, seen again. */
export function keyOf({ oracle, kind, where }: Finding): string {
  return JSON.stringify([oracle, kind, where.stream, where.cluster, where.pod, where.containerGroup, where.place]);
}

/** One line of text. */
export function lineOf({ oracle, what, where, since, next }: Finding): string {
  const place = Object.entries(where)
    .map(([name, value]) => `${WORDS[name as keyof Where]} ${value}`)
    .join(', ');
  return `${oracle}: ${what}${place === '' ? '' : ` (${place})`}${since === undefined ? '' : `, since ${since}`}. Next: ${next}`;
}

const WORDS: Readonly<Record<keyof Where, string>> = {
  stream: 'stream',
  cluster: 'cluster',
  pod: 'pod',
  containerGroup: 'container group',
  place: 'at',
};
