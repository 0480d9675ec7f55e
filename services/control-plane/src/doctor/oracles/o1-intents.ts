import { attemptInDoubt, hasGivenUp, isClosed, openGroupIds } from '#libs/domain';
import type { OverdueWork, StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** Work may wait this long after its time, for a worker that died or a lane without tokens. */
export const OVERDUE_MS = 120_000;

const RESTART =
  'read its history (GET /api/v1/container-groups/<id>/history) and report it: the row is written in the transaction of the event';

/** O1, one stream: what is open, in doubt or wanted has a row that brings it on, and what waits is parked where people see it. */
export function intentsAreAccountedFor(facts: StreamFacts): readonly Finding[] {
  const { state, streamId, head } = facts;
  const findings: Finding[] = [];
  const say = (kind: string, what: string, next: string, containerGroup?: string): void => {
    const since = facts.events.at(-1)?.recordedAt;
    findings.push({
      oracle: 'O1',
      kind,
      what,
      where: { stream: streamId, ...(containerGroup !== undefined && { containerGroup }) },
      ...(since !== undefined && { since }),
      next,
    });
  };
  if (state.unknownEvents.length > 0) {
    say(
      'unknown-events',
      `holds events that this version does not know (${[...new Set(state.unknownEvents)].join(', ')}) and is not decided on`,
      'run the newer version of the control plane',
    );
    return findings;
  }
  const has = (kind: string, key?: string): boolean =>
    facts.effects.some((row) => row.kind === kind && (key === undefined || row.key === key));
  if (isClosed(state)) {
    if (state.podObjectGone && head.closedAt === undefined)
      say('not-closed', 'has come to its end, but its head is not closed', RESTART);
    if (facts.parkedAt !== undefined) say('parked-for-ever', 'is over, but still waits behind a gate', RESTART);
    return findings;
  }
  if (head.closedAt !== undefined && state.version > 0)
    say('closed-too-early', 'is closed, but something of it is open or in doubt', RESTART);

  for (const id of openGroupIds(state)) {
    const twin = state.twins[id];
    const wantsDelete = twin !== undefined || state.stop !== undefined;
    if (wantsDelete && !has('Delete', id) && !has('Confirm', id))
      say('nobody-deletes', 'has a group that should be deleted, and no row for it', RESTART, id);
  }
  if (attemptInDoubt(state)) {
    const attempt = `${state.attempt?.number ?? 0}`;
    if (!has('Create', attempt) && !has('LookUp', attempt))
      say('doubt-for-ever', `attempt ${attempt} is in doubt, and no row settles it`, RESTART);
    return findings;
  }
  if (openGroupIds(state).length > 0) return findings;
  if (state.parked) {
    if (facts.parkedAt === undefined) say('parked-nowhere', 'is parked, but behind no gate', RESTART);
    return findings;
  }
  if (facts.parkedAt !== undefined) say('parked-by-mistake', 'waits behind a gate, but is not parked', RESTART);
  // Fail-fast: no further attempt, and the pod says so. Held: an operator is asked (fleet holds).
  if (hasGivenUp(state) || state.held !== undefined || state.intent === undefined) return findings;
  if (!has('Place') && !has('Refresh'))
    say('stuck', 'was accepted, nothing of it is open, and no row brings it on', RESTART);
  return findings;
}

/** O1, rows: nothing waits longer than two minutes after its time. */
export function workIsNotOverdue(rows: readonly OverdueWork[], now: number): readonly Finding[] {
  return rows
    .filter((row) => now - Date.parse(row.dueAt) > OVERDUE_MS)
    .map(({ table, streamId, kind, key, lane, dueAt, attempts }) => ({
      oracle: 'O1',
      kind: `overdue-${table}-${kind}-${key}`,
      what: `${table} ${kind}/${key} was due and nobody took it (${attempts} ${attempts === 1 ? 'attempt' : 'attempts'})`,
      where: { stream: streamId, ...(lane !== undefined && { place: lane }) },
      since: dueAt,
      next:
        table === 'effect'
          ? 'see that a replica with role effects runs (/health/ready), that its cluster and account are usable, and that the lane has quota for what waits'
          : 'see that a replica with role effects runs (/health/ready)',
    }));
}
