/** What `SinceSecond` may say (ECI docs: 60 to 3,600). */
const SHORTEST_S = 60;
const LONGEST_S = 3_600;
/** Groups whose change was written late, and clocks that differ. */
const OVERLAP_MS = 30_000;

/**
 * Seconds to look back so that no change since the last complete sweep is missed; undefined = look at everything. Times in epoch milliseconds,
 * `sweptAt` = when that sweep began.
 */
export function windowSeconds(now: number, sweptAt: number | undefined): number | undefined {
  if (sweptAt === undefined) return undefined;
  const seconds = Math.max(SHORTEST_S, Math.ceil((now - sweptAt + OVERLAP_MS) / 1000));
  return seconds > LONGEST_S ? undefined : seconds;
}
