import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideOrphan, type OrphanCommand } from './decide.ts';
import { orphanDecider } from './decider.ts';
import type { NewOrphanEvent, OrphanEvent } from './events.ts';
import { evolveOrphan, foldOrphan, initialOrphan, isOpenOrphan, orphanStreamId, parseOrphanStreamId } from './state.ts';
import { AT, specificationOf } from '../../spec/decider-specification.ts';

const facts = { accountId: 'acc', region: 'cn-hangzhou', containerGroupId: 'eci-1', status: 'Running' } as const;
const quarantine: OrphanCommand = { type: 'Quarantine', facts, why: 'no stream knows it' };
const remove = { type: 'RequestRemoval', by: 'operator:jo', reason: 'left behind' } as const;
const keep: OrphanCommand = { type: 'Keep', by: 'operator:jo', reason: 'a test of mine' };
const recordDelete: OrphanCommand = { type: 'RecordDelete', requestId: 'r1' };
const removed: OrphanCommand = { type: 'RecordRemoved', evidence: 'read' };
const closed = (reason: 'claimed' | 'ended' | 'vanished' | 'not-ours', more: { undeleted?: true } = {}) =>
  ({ type: 'Close', reason, evidence: 'seen', ...more }) as const;

const given = specificationOf(orphanDecider);
const quarantined: NewOrphanEvent = { type: 'OrphanQuarantined', data: { ...facts, why: 'no stream knows it' } };
const requested: NewOrphanEvent = {
  type: 'OrphanRemovalRequested',
  data: { by: 'operator:jo', reason: 'left behind' },
};
const kept: NewOrphanEvent = { type: 'OrphanKept', data: { by: 'operator:jo', reason: 'a test of mine' } };
const accepted: NewOrphanEvent = { type: 'OrphanDeleteAccepted', data: { requestId: 'r1' } };
const gone: NewOrphanEvent = { type: 'OrphanRemoved', data: { evidence: 'read' } };
const over = (reason: 'claimed' | 'ended' | 'vanished'): NewOrphanEvent => ({
  type: 'OrphanClosed',
  data: { reason, evidence: 'seen' },
});

describe('an orphan', () => {
  it('waits in quarantine, is removed on request, and who asked is kept', () => {
    given().when(quarantine).then(quarantined);
    given(quarantined).when(remove).then(requested);
    given(quarantined, requested).when(recordDelete).then(accepted);
    const { after } = given(quarantined, requested, accepted).when(removed).then(gone);
    expect(after).toMatchObject({ phase: 'removed', removal: { by: 'operator:jo', reason: 'left behind' } });
  });

  it('puts its work with the request, keeps it after the delete, and ends it with the proof', () => {
    const row = { kind: 'RemoveOrphan', key: 'eci-1' };
    const put = (afterMs: number) => [{ ...row, op: 'put', afterMs, priority: 0 }];
    const ended = [{ ...row, op: 'remove', unlessClaimed: false }];
    const nothing = { parking: [], containerGroups: [], destroySealed: false, closed: false };
    expect(given().when(quarantine).consequences).toEqual({ ...nothing, effects: [] });
    expect(given(quarantined).when(remove).consequences).toEqual({ ...nothing, effects: put(0) });
    const removing = given(quarantined, requested);
    expect(removing.when(recordDelete).consequences).toEqual({ ...nothing, effects: put(1000) });
    expect(removing.when(closed('claimed')).consequences).toEqual({ ...nothing, effects: ended });
    expect(given(quarantined, requested, accepted).when(removed).consequences.effects).toEqual(ended);
  });

  it('is not removed by who saw it in another phase', () => {
    const seen: OrphanCommand = { ...remove, onlyIn: 'quarantined' };
    given(quarantined).when(seen).then(requested);
    expect(given(quarantined, kept).when(seen).refused('PhaseChanged').decision).toMatchObject({
      message: 'it was quarantined, and is kept by now',
    });
  });

  it('is not removed before it was quarantined, nor when it is no orphan any more', () => {
    given().when(remove).refused('NoSuchOrphan');
    given(quarantined, over('claimed')).when(remove).refused('NotOpen');
  });

  it('that is kept stays kept, also when it was taken for gone and is back', () => {
    const { after } = given(quarantined, kept, over('vanished')).when(quarantine).then(quarantined);
    expect(after).toMatchObject({ phase: 'kept', kept: { reason: 'a test of mine' } });
    given(quarantined, kept, over('vanished'), quarantined).when(remove).then(requested);
  });

  it('cannot be kept while it is being removed', () => {
    given(quarantined, requested).when(keep).refused('BeingRemoved');
  });

  it('that vanished after our delete was removed, not lost', () => {
    given(quarantined, requested, accepted)
      .when(closed('vanished'))
      .then({ type: 'OrphanRemoved', data: { evidence: 'seen' } });
  });

  it('that is gone while its removal goes on is closed by no one but who knows that it was never deleted', () => {
    for (const reason of ['vanished', 'ended'] as const) {
      given(quarantined, requested).when(closed(reason)).then();
      given(quarantined, requested)
        .when(closed(reason, { undeleted: true }))
        .then(over(reason));
      given(quarantined).when(closed(reason)).then(over(reason));
    }
    given(quarantined, requested).when(closed('claimed')).then(over('claimed'));
  });

  it('with events of a newer version is not decided on', () => {
    const fromTheFuture = { type: 'Unknown', was: 'FromTheFuture' } as const;
    given(quarantined, fromTheFuture).when(remove).refused('UnknownEvents');
    expect(orphanDecider.isUndecidable(given(quarantined, fromTheFuture).state)).toBe(true);
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
      closed('ended', { undeleted: true }),
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
