/** For specs of the doctor: facts of one stream, as PostgreSQL would tell them. */
import { parseStreamId, streamIdOf } from '#libs/domain';
import { digestOf, type NewEvent } from '#libs/event-store';
import { containerGroupRow } from '../src/container-groups/container-group-row.ts';
import { stateOf } from '../src/streams/stored-events.ts';
import type { StoredEvent, StreamFacts } from '../src/doctor/facts.ts';

export const STREAM = streamIdOf('c1', 'u1');

export function stored(events: readonly NewEvent[], streamId = STREAM): StoredEvent[] {
  return events.map((event, index) => ({
    ...event,
    streamId,
    version: index + 1,
    cursor: { generation: 1, transactionId: '1', position: String(index + 1) },
    recordedAt: event.metadata.decidedAt,
    digest: digestOf(streamId, index + 1, event),
  }));
}

/** A healthy stream of these events; `over` is what is not. */
export function factsOf(events: readonly NewEvent[], over: Partial<StreamFacts> = {}): StreamFacts {
  const recorded = stored(events);
  return {
    streamId: STREAM,
    clusterId: parseStreamId(STREAM)?.clusterId ?? '',
    podUid: parseStreamId(STREAM)?.podUid ?? '',
    head: { version: recorded.length },
    events: recorded,
    state: stateOf(recorded),
    effects: [],
    hasSealed: true,
    row: containerGroupRow(recorded),
    projected: recorded.length,
    ...over,
  };
}
