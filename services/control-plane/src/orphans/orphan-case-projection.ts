import type { TimedEvent } from '#libs/event-store';
import { rowPerStream } from '../rebuild/row-per-stream.ts';
import type { RowValues } from '../rebuild/stream-rows.ts';
import { orphanEvent } from '../streams/stored-events.ts';

/** One row for each orphan that was ever quarantined, `fleet.orphan_case`. */
export const orphanCaseProjection = rowPerStream({
  name: 'orphans',
  table: 'fleet.orphan_case',
  streams: 'orphan:',
  types: [
    'OrphanQuarantined',
    'OrphanKept',
    'OrphanRemovalRequested',
    'OrphanDeleteAccepted',
    'OrphanRemoved',
    'OrphanClosed',
  ],
  columns: [
    'account_id',
    'region',
    'container_group_id',
    'phase',
    'kept',
    'facts',
    'why',
    'quarantined_at',
    'decided_at',
    'decided_by',
    'decided_reason',
    'delete_accepted_at',
    'ended_at',
    'ended_how',
  ],
  rowOf: (_, events) => events.reduce<RowValues | undefined>(applied, undefined),
});

/** What nobody put into quarantine has no row, whatever else is told of it. */
function applied(row: RowValues | undefined, fact: TimedEvent): RowValues | undefined {
  const event = orphanEvent(fact);
  const at = fact.recordedAt;
  if (event.type === 'OrphanQuarantined') {
    const { why, ...facts } = event.data;
    const { accountId: account_id, region, containerGroupId: container_group_id } = facts;
    // An orphan that an operator kept, that then vanished and is found again, is still kept, by the decision of that time.
    return {
      ...(row ?? { account_id, region, container_group_id, kept: false }),
      ...{ facts, why, phase: row?.['kept'] === true ? 'kept' : 'quarantined', quarantined_at: at },
      ...{ delete_accepted_at: null, ended_at: null, ended_how: null },
    };
  }
  return row && { ...row, ...changeOf(event, at) };
}

function changeOf(
  event: Exclude<ReturnType<typeof orphanEvent>, { type: 'OrphanQuarantined' }>,
  at: string,
): RowValues {
  switch (event.type) {
    case 'OrphanKept':
      return { phase: 'kept', kept: true, ...decided(event.data, at) };
    case 'OrphanRemovalRequested':
      return { phase: 'removing', kept: false, ...decided(event.data, at) };
    case 'OrphanDeleteAccepted':
      return { delete_accepted_at: at };
    case 'OrphanRemoved':
      return { phase: 'removed', ended_at: at, ended_how: event.data.evidence };
    case 'OrphanClosed':
      return { phase: 'closed', ended_at: at, ended_how: `${event.data.reason}: ${event.data.evidence}` };
    case 'Unknown':
      return {};
  }
}

const decided = ({ by, reason }: { readonly by: string; readonly reason?: string }, at: string): RowValues => ({
  decided_at: at,
  decided_by: by,
  decided_reason: reason ?? null,
});
