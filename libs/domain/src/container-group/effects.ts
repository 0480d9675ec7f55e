/**
 * Work that follows from events and is done by a worker; a row beside the stream, written in the transaction of its event. By kind: the action of
 * the cloud whose quota a row takes a token of; `local`: it calls no cloud.
 */
export const EFFECT_ACTIONS = {
  /** Key `next`: choose and freeze the next attempt. */
  Place: 'create',
  /** Key = attempt: send the frozen request. Written by the worker that placed, already claimed. */
  Create: 'create',
  /** Key = attempt: find the attempt's group by tag, or prove its absence. */
  LookUp: 'describe',
  /** Key = container group id: delete it. */
  Delete: 'delete',
  /** Key = container group id: prove that a deleted group is gone. */
  Confirm: 'describe',
  /** Key `intent`: ask the agent for the pod's intent again (tokens too old, pod unknown). */
  Refresh: 'local',
} as const;

export type EffectKind = keyof typeof EFFECT_ACTIONS;
