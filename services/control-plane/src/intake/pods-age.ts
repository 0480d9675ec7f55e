import type { StreamAppend } from '#libs/event-store';

/** Older pods count as being of this age. */
const OLDEST_MS = 60_000;

/**
 * A placement is due since its pod was made, by as much as a minute: the queue, which serves the oldest and the youngest of a cluster in turn, then knows
 * the pods of now from those of an hour that arrive together with them. `createdAt` is the cluster's clock: one that is ahead, or says nothing,
 * makes a pod of now. `at` = now, ISO 8601 as well.
 */
export function dueSinceCreation(append: StreamAppend, createdAt: unknown, at: string): StreamAppend {
  const age = Date.parse(at) - (typeof createdAt === 'string' ? Date.parse(createdAt) : NaN);
  if (!(age > 0) || append.effects === undefined) return append;
  return {
    ...append,
    effects: append.effects.map((effect) =>
      effect.op === 'put' && effect.kind === 'Place' && effect.afterMs === 0
        ? { ...effect, afterMs: -Math.min(age, OLDEST_MS) }
        : effect,
    ),
  };
}
