/** Four changes of hands in the window, whoever they are: two agents that get a new id at each restart look like this. */
const MANY = 4;

/**
 * Whether agents keep taking the session from each other. `takers` = who took a live session from somebody else within the window (10 min), in
 * order. A rolling update takes over once; an agent that takes it for the second time had lost it in between.
 */
export function isFlapping(takers: readonly string[]): boolean {
  return takers.length >= MANY || new Set(takers).size < takers.length;
}
