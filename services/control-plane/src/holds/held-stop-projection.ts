import { parseStreamId } from '#libs/domain';
import type { TimedEvent } from '#libs/event-store';
import { rowPerStream } from '../rebuild/row-per-stream.ts';
import type { RowValues } from '../rebuild/stream-rows.ts';
import { domainEvent } from '../streams/stored-events.ts';

/** Who waits behind the mass-delete guard, for what, since when: `fleet.held_stop`. */
export const heldStopProjection = rowPerStream({
  name: 'held stops',
  table: 'fleet.held_stop',
  streams: 'container_group:',
  types: ['StopHeld', 'StopDenied', 'StopReleased'],
  columns: [
    'cluster_id',
    'pod_uid',
    'namespace',
    'name',
    'hold_id',
    'reason',
    'disruption',
    'since',
    'denied_at',
    'denied_by',
    'denied_reason',
  ],
  decided: {
    columns: ['wanted', 'wanted_by', 'wanted_reason', 'wanted_actor'],
    // What an operator decided is of this stop, and not of a later one of the same pod; a denial that is in the stream is carried out.
    stayWhile: `was.since = excluded.since and not (was.wanted = 'deny' and was.denied_at is distinct from excluded.denied_at)`,
  },
  rowOf: (streamId, events) => {
    const names = parseStreamId(streamId);
    return names && events.reduce<RowValues | undefined>((row, fact) => applied(row, fact, names), undefined);
  },
});

function applied(
  row: RowValues | undefined,
  fact: TimedEvent,
  { clusterId, podUid }: { readonly clusterId: string; readonly podUid: string },
): RowValues | undefined {
  const event = domainEvent(fact);
  const at = fact.recordedAt;
  switch (event.type) {
    case 'StopHeld': {
      const { namespace, name, hold: hold_id, reason, disruption = null } = event.data;
      const who = { cluster_id: clusterId, pod_uid: podUid, namespace, name };
      return { ...who, hold_id, reason, disruption, since: at, denied_at: null, denied_by: null, denied_reason: null };
    }
    case 'StopDenied':
      return row && { ...row, denied_at: at, denied_by: event.data.by, denied_reason: event.data.reason ?? null };
    case 'StopReleased':
      return undefined;
    default:
      return row;
  }
}
