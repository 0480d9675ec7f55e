import { parseLane } from '../streams/lanes.ts';
import type { EffectHandler } from './held-effect.ts';

/** The handlers of an action, whose rows wait in the same lanes, and how rows are claimed for them. */
export interface Crew {
  readonly handlers: ReadonlyMap<string, EffectHandler>;
  readonly concurrency: number;
  readonly leaseMs: number;
}

/**
 * Crews by action. They claim for all their kinds at once, because a claim for some of them would have to look past all rows of the others. Throws
 * RangeError when two handlers take the same kind, or do not agree on how rows of their lanes are claimed.
 */
export function crewsOf(handlers: readonly EffectHandler[]): ReadonlyMap<string, Crew> {
  const kinds = new Set(handlers.map(({ kind }) => kind));
  if (kinds.size < handlers.length) throw new RangeError(`two handlers of one kind among ${[...kinds].join(', ')}`);
  const crews = new Map<string, Crew>();
  for (const handler of handlers) {
    const { kind, action, concurrency, leaseMs } = handler;
    const crew = crews.get(action) ?? { handlers: new Map(), concurrency, leaseMs };
    if (crew.concurrency !== concurrency || crew.leaseMs !== leaseMs)
      throw new RangeError(`${kind}: another handler of ${action} has another concurrency or leaseMs`);
    crews.set(action, { ...crew, handlers: new Map([...crew.handlers, [kind, handler]]) });
  }
  return crews;
}

/** The action whose crew works in a lane. */
export const actionOf = (lane: string): string => parseLane(lane)?.action ?? lane;
