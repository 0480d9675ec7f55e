import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orphanConsequencesOf } from './consequences.ts';
import { decideOrphan, type OrphanCommand } from './decide.ts';
import type { OrphanEvent } from './events.ts';
import { evolveOrphan, foldOrphan, initialOrphan, isOpenOrphan, orphanStreamId, parseOrphanStreamId } from './state.ts';

const AT = '2026-01-01T00:00:00.000Z';
const facts = { accountId: 'acc', region: 'cn-hangzhou', containerGroupId: 'eci-1', status: 'Running' } as const;
const quarantine: OrphanCommand = { type: 'Quarantine', facts, why: 'no stream knows it' };
const remove = { type: 'RequestRemoval', by: 'operator:jo', reason: 'left behind' } as const;
const keep: OrphanCommand = { type: 'Keep', by: 'operator:jo', reason: 'a test of mine' };
const recordDelete: OrphanCommand = { type: 'RecordDelete', requestId: 'r1' };
const removed: OrphanCommand = { type: 'RecordRemoved', evidence: 'read' };
const closed = (reason: 'claimed' | 'ended' | 'vanished' | 'not-ours'): OrphanCommand => ({
  type: 'Close',
  reason,
  evidence: 'seen',
});

function after(...commands: readonly OrphanCommand[]) {
  const events: OrphanEvent[] = [];
  for (const command of commands) {
    const decision = decideOrphan(command, foldOrphan(events), AT);
    if (decision.accepted) events.push(...decision.events);
  }
  return { state: foldOrphan(events), events, types: events.map(({ type }) => type) };
}

describe('an orphan', () => {
  it('waits in quarantine, is removed on request, and who asked is kept', () => {
    const { state, types } = after(quarantine, remove, recordDelete, removed);
    expect(types).toEqual(['OrphanQuarantined', 'OrphanRemovalRequested', 'OrphanDeleteAccepted', 'OrphanRemoved']);
    expect(state).toMatchObject({ phase: 'removed', removal: { by: 'operator:jo', reason: 'left behind' } });
  });

  it('puts its work with the request, keeps it after the delete, and ends it with the proof', () => {
    const row = { kind: 'RemoveOrphan', key: 'eci-1' };
    const put = (afterMs: number) => [{ ...row, op: 'put', afterMs, priority: 0 }];
    const ended = [{ ...row, op: 'remove', unlessClaimed: false }];
    const work = (...commands: readonly OrphanCommand[]) => {
      const { events } = after(...commands);
      return orphanConsequencesOf(events.slice(-1), foldOrphan(events.slice(0, -1))).effects;
    };
    expect(work(quarantine)).toEqual([]);
    expect(work(quarantine, remove)).toEqual(put(0));
    expect(work(quarantine, remove, recordDelete)).toEqual(put(1000));
    expect(work(quarantine, remove, recordDelete, removed)).toEqual(ended);
    expect(work(quarantine, remove, closed('claimed'))).toEqual(ended);
  });

  it('is not removed by who saw it in another phase', () => {
    const seen: OrphanCommand = { ...remove, onlyIn: 'quarantined' };
    expect(decideOrphan(seen, after(quarantine, keep).state, AT)).toMatchObject({
      code: 'PhaseChanged',
      message: 'it was quarantined, and is kept by now',
    });
    expect(after(quarantine, seen).types).toEqual(['OrphanQuarantined', 'OrphanRemovalRequested']);
  });

  it('is not removed before it was quarantined, nor when it is no orphan any more', () => {
    expect(decideOrphan(remove, initialOrphan, AT)).toMatchObject({ accepted: false, code: 'NoSuchOrphan' });
    expect(decideOrphan(remove, after(quarantine, closed('claimed')).state, AT)).toMatchObject({ code: 'NotOpen' });
  });

  it('that is kept stays kept, also when it was taken for gone and is back', () => {
    const { state } = after(quarantine, keep, closed('vanished'), quarantine);
    expect(state).toMatchObject({ phase: 'kept', kept: { reason: 'a test of mine' } });
    expect(decideOrphan(remove, state, AT)).toMatchObject({
      accepted: true,
      events: [{ type: 'OrphanRemovalRequested' }],
    });
  });

  it('cannot be kept while it is being removed', () => {
    expect(decideOrphan(keep, after(quarantine, remove).state, AT)).toMatchObject({ code: 'BeingRemoved' });
  });

  it('that vanished after our delete was removed, not lost', () => {
    expect(after(quarantine, remove, recordDelete, closed('vanished')).types.at(-1)).toBe('OrphanRemoved');
    expect(after(quarantine, remove, closed('vanished')).types.at(-1)).toBe('OrphanClosed');
  });

  it('decided twice changes nothing, and every prefix folds, whatever comes in whatever order', () => {
    const command = fc.constantFrom(
      quarantine,
      remove,
      keep,
      recordDelete,
      removed,
      closed('claimed'),
      closed('ended'),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), (commands) => {
        let state = initialOrphan;
        const events: OrphanEvent[] = [];
        for (const each of commands) {
          const decision = decideOrphan(each, state, AT);
          if (!decision.accepted) continue;
          events.push(...decision.events);
          state = decision.events.reduce(evolveOrphan, state);
          const again = decideOrphan(each, state, AT);
          expect(again.accepted ? again.events : []).toEqual([]);
          // A delete is asked for only while somebody wants it.
          if (state.removal?.deleteAcceptedAt && isOpenOrphan(state)) expect(state.phase).toBe('removing');
        }
        for (let n = 0; n <= events.length; n++) expect(foldOrphan(events.slice(0, n)).version).toBe(n);
      }),
    );
  });

  it('has a stream that names account, region and group', () => {
    const id = { accountId: 'acc', region: 'cn-hangzhou', containerGroupId: 'eci-1' };
    expect(parseOrphanStreamId(orphanStreamId(id))).toEqual(id);
    expect(parseOrphanStreamId('container_group:c:u')).toBeUndefined();
  });
});
