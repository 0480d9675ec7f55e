import type { Gate } from './events.ts';

/**
 * Work that follows from events and is done by a worker; a row beside the stream, written in the transaction of its event. A row's identity is
 * (stream, kind, key), so that writing it twice is writing it once.
 *
 * - `Place` (key `next`): choose and freeze the next attempt. Lane: create.
 * - `Create` (key = attempt): send the frozen request. Written by the worker that placed, already claimed. Lane: create.
 * - `LookUp` (key = attempt): find the attempt's group by tag, or prove its absence. Lane: describe.
 * - `Delete` (key = container group id): delete it. Lane: delete.
 * - `Confirm` (key = container group id): prove that a deleted group is gone. Lane: describe.
 * - `Refresh` (key `intent`): ask the agent for the pod's intent again (tokens too old, pod unknown). Lane: none of the cloud's.
 */
export type EffectKind = 'Place' | 'Create' | 'LookUp' | 'Delete' | 'Confirm' | 'Refresh';

export type EffectChange =
  | {
      readonly op: 'put';
      readonly kind: EffectKind;
      readonly key: string;
      /** Milliseconds from now until it is due. */
      readonly afterMs: number;
      readonly priority: number;
    }
  /** `unlessClaimed`: a row that a worker holds, or whose call may have gone out, stays. */
  | { readonly op: 'remove'; readonly kind: EffectKind; readonly key: string; readonly unlessClaimed: boolean };

export type ParkingChange =
  { readonly op: 'park'; readonly gate: Gate; readonly priority: number } | { readonly op: 'unpark' };

/** All that goes with the events of one decision. `sealed`: `destroy` ends the stream's data key (the stream is closed). */
export interface Consequences {
  readonly effects: readonly EffectChange[];
  readonly parking: readonly ParkingChange[];
  /** Cloud ids by which later observations find this stream. */
  readonly containerGroupIds: readonly string[];
  readonly destroySealed: boolean;
}
