/**
 * A stored event that this code does not know: its type, or this version of it, is of a newer release. Made by who reads stored events, and never
 * written. Folds note it, deciders then refuse; what it says is in the history, under its own name.
 */
export interface UnknownEvent {
  readonly type: 'Unknown';
  readonly at: string;
  /** Its own type, with its schema version where that is what is unknown. */
  readonly was: string;
}
