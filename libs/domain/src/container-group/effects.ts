/**
 * Work that follows from events and is done by a worker; a row beside the stream, written in the transaction of its event.
 *
 * - `Place` (key `next`): choose and freeze the next attempt. Lane: create.
 * - `Create` (key = attempt): send the frozen request. Written by the worker that placed, already claimed. Lane: create.
 * - `LookUp` (key = attempt): find the attempt's group by tag, or prove its absence. Lane: describe.
 * - `Delete` (key = container group id): delete it. Lane: delete.
 * - `Confirm` (key = container group id): prove that a deleted group is gone. Lane: describe.
 * - `Refresh` (key `intent`): ask the agent for the pod's intent again (tokens too old, pod unknown). Lane: none of the cloud's.
 */
export type EffectKind = 'Place' | 'Create' | 'LookUp' | 'Delete' | 'Confirm' | 'Refresh';
