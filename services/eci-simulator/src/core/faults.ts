import { like } from './behaviour.ts';
import type { Random } from '#libs/runtime';

export const FAULT_KINDS = [
  'lost-answer',
  'silence',
  'reset',
  'html-503',
  'empty-500',
  'garbage-200',
  'error',
  'delay',
  'slow',
  'truncate-page',
  'empty-list',
] as const;

type FaultKind = (typeof FAULT_KINDS)[number];

/** A fault that some requests meet. */
export interface FaultRule {
  readonly id: string;
  readonly kind: FaultKind;
  /** Absent = every action. */
  readonly action?: string;
  /** Request parameters that must match, by wire name; patterns may use `*`. */
  readonly match?: Readonly<Record<string, string>>;
  /** Only requests of this account. */
  readonly account?: string;
  /** Hits so many requests, then no more; absent = until removed. */
  readonly count?: number;
  /** Lets so many matching requests pass first. */
  readonly skip?: number;
  /** Chance of each matching request, 0–1; default 1. */
  readonly probability?: number;
  /**
   * Whether the request takes effect although its answer is spoiled. Default: true for `lost-answer`, `delay`, `slow`, `truncate-page`,
   * false for the others. `empty-list` does nothing to a create or delete.
   */
  readonly executed?: boolean;
  /** `lost-answer`: the connection is cut (default) or nothing comes. */
  readonly lost?: 'reset' | 'silence';
  /** `error`: what is answered. Default InternalError, 500. */
  readonly code?: string;
  readonly status?: number;
  readonly message?: string;
  /** `delay`: real milliseconds, before the request takes effect or (default) after. `slow`: time over which the answer trickles. */
  readonly delayMs?: number;
  readonly when?: 'before' | 'after';
  /**
   * `truncate-page`: `cut` (default) = the JSON ends in its middle; `short` = half of the page, the rest follows on the next page;
   * `lost-token` = half of the page, and no next page.
   */
  readonly page?: 'cut' | 'short' | 'lost-token';
}

/** Chooses the fault of a request: the first rule in order that matches, is not used up and wins its draw. */
export class Faults {
  private rules: { readonly rule: FaultRule; skip: number; left: number; hits: number }[] = [];
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  add(rule: FaultRule): void {
    this.rules.push({ rule, skip: rule.skip ?? 0, left: rule.count ?? Infinity, hits: 0 });
  }

  remove(id: string): boolean {
    const before = this.rules.length;
    this.rules = this.rules.filter(({ rule }) => rule.id !== id);
    return this.rules.length < before;
  }

  clear(): void {
    this.rules = [];
  }

  view(): readonly (FaultRule & { readonly left: number | null; readonly hits: number })[] {
    return this.rules.map(({ rule, left, hits }) => ({ ...rule, left: Number.isFinite(left) ? left : null, hits }));
  }

  choose(account: string, action: string, parameters: ReadonlyMap<string, string>): FaultRule | undefined {
    for (const entry of this.rules) {
      const { rule } = entry;
      if (entry.left <= 0 || (rule.action && rule.action !== action) || (rule.account && rule.account !== account))
        continue;
      const fits = Object.entries(rule.match ?? {}).every(([name, pattern]) =>
        like(pattern, parameters.get(name) ?? ''),
      );
      if (!fits) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      if (rule.probability !== undefined && this.random.next() >= rule.probability) continue;
      entry.left -= 1;
      entry.hits += 1;
      return rule;
    }
    return undefined;
  }
}

export function takesEffect(rule: FaultRule): boolean {
  return rule.executed ?? ['lost-answer', 'delay', 'slow', 'truncate-page'].includes(rule.kind);
}
