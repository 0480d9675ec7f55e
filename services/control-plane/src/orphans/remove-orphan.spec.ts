import { orphanStreamId, type OrphanCommand } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { OnePod, STREAM } from '../../spec/effects/one-pod.ts';
import { described, FAILED_READS, group, listed } from '../../spec/effects/scripted-eci.ts';
import { chosen, wanted } from '../../spec/effects/told.ts';
import { OrphanStreams } from './orphan-streams.ts';
import { RemoveOrphan } from './remove-orphan.ts';

const ID = { accountId: 'acc', region: 'cn-hangzhou', containerGroupId: 'eci-9' };
const ORPHAN = orphanStreamId(ID);
const ROW = 'RemoveOrphan eci-9';
const LOOK = 'describe eci-9';
const SENT = [LOOK, 'delete eci-9'];
const cause = 'effect:RemoveOrphan/eci-9';

const asked: readonly OrphanCommand[] = [
  { type: 'Quarantine', facts: { ...ID, status: 'Running' }, why: 'no stream knows it' },
  { type: 'RequestRemoval', by: 'operator:jo' },
];
const deleted: OrphanCommand = { type: 'RecordDelete', requestId: 'r0' };
const shown = (status: Parameters<typeof group>[1] = 'Running') =>
  described(group('eci-9', status, { clusterId: 'k9', podUid: 'u9' }));
const other = group('eci-other', 'Running', { podUid: 'u2' });
const OTHERS = { kind: 'done', containerGroupId: 'eci-other', requestId: 'r0' } as const;
const done = { kind: 'done', requestId: 'r' } as const;
const removed = (evidence: string) => ({ type: 'OrphanRemoved', data: { evidence }, cause });
const closed = (reason: string, evidence: string, more: object = {}) => ({
  type: 'OrphanClosed',
  data: { reason, evidence, ...more },
  cause,
});

class OneOrphan extends OnePod {
  private readonly orphans: OrphanStreams;

  constructor() {
    let orphans: OrphanStreams | undefined;
    super((parts, tools) => {
      orphans = new OrphanStreams(parts);
      return new RemoveOrphan({ ...parts, orphanStreams: orphans }, tools);
    }, ORPHAN);
    this.orphans = orphans!;
  }

  async sayOfOrphan(...commands: readonly OrphanCommand[]): Promise<void> {
    for (const command of commands) await this.orphans.execute(ORPHAN, command, { actor: 'somebody' });
  }
}

async function given(...commands: readonly OrphanCommand[]): Promise<OneOrphan> {
  const orphan = new OneOrphan();
  await orphan.sayOfOrphan(...commands);
  return orphan;
}

describe('an orphan whose removal was asked for', () => {
  it('is looked at once more, and deleted', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', shown());
    orphan.eci.answers('delete', done);
    await orphan.when();
    orphan.thenOnly({
      events: [{ type: 'OrphanDeleteAccepted', data: { requestId: 'r' }, cause }],
      rows: { [ROW]: { afterMs: 1_000, mayHaveBeenSent: true } },
      calls: SENT,
    });
  });

  it('is removed when the cloud knows no such group', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', shown());
    orphan.eci.answers('delete', { kind: 'not-found' });
    await orphan.when();
    orphan.thenOnly({ events: [removed('the cloud answered NotFound to our delete')], calls: SENT });
  });

  it.each([
    ['not possible now', { kind: 'conflict', code: 'IncorrectStatus' } as const, 750, false, 1],
    ['throttled', { kind: 'throttled' } as const, 750, false, 0.85],
    ['refused', { kind: 'refused', code: 'Forbidden.RAM', message: 'no' } as const, 3_750, false, 1],
    ['unknown', { kind: 'unknown', reason: 'x' } as const, 750, true, 1],
    ['thrown', new Error('out of order'), 750, true, 1],
  ])('is deleted again when that is %s', async (_, answer, afterMs, mayHaveBeenSent, factor) => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', shown());
    orphan.eci.answers('delete', answer);
    await orphan.when();
    orphan.thenOnly({ rows: { [ROW]: { afterMs, mayHaveBeenSent } }, calls: SENT });
    expect(orphan.lane.factor).toBe(factor);
  });

  it('is none any more when it ended by itself', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', shown('Succeeded'));
    await orphan.when();
    orphan.thenOnly({ events: [closed('ended', 'it is Succeeded')], calls: [LOOK] });
  });

  it('was removed when it ended after a delete of which nobody heard', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', shown(), shown('Succeeded'));
    orphan.eci.answers('delete', { kind: 'unknown', reason: 'x' });
    await orphan.when();
    await orphan.when();
    const evidence = 'after a delete whose answer was not recorded it is Succeeded';
    orphan.thenOnly({ events: [removed(evidence)], calls: [LOOK] });
  });

  it('is none any more without our tag, and is not deleted', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', described(group('eci-9', 'Running', { fleet: 'another' })));
    await orphan.when();
    orphan.thenOnly({ events: [closed('not-ours', 'it does not carry our tag any more')], calls: [LOOK] });
  });

  it.each([
    ['its id', 'u9', 'eci-9'],
    ['the pod of its tags', 'u1', 'eci-1'],
  ])('is none any more when a stream knows %s, and is not deleted', async (_, podUid, containerGroupId) => {
    const orphan = await given(...asked);
    const outcome = { kind: 'done', containerGroupId, requestId: 'r0' } as const;
    await orphan.say(wanted, chosen, { type: 'RecordCreate', attempt: 1, outcome });
    orphan.eci.answers('describe', described(group('eci-9', 'Running', { podUid })));
    await orphan.when();
    orphan.thenOnly({ events: [closed('claimed', 'a stream knows it', { streamId: STREAM })], calls: [LOOK] });
  });

  it('is none any more when reads a minute apart that returned others have not shown it', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', described(), described(other), described(other), described(other));
    orphan.eci.answers('list', listed(other));
    const row = (missedMs: number) => ({ [ROW]: { afterMs: 30_000, data: { missedMs } } });
    await orphan.when();
    orphan.thenOnly({ rows: row(30_000), calls: [LOOK, 'list fleet', `${LOOK} eci-other`] });
    await orphan.when();
    orphan.thenOnly({ rows: row(60_000), calls: [`${LOOK} eci-other`] });
    await orphan.when();
    const evidence = 'missing from direct reads at least a minute apart, which returned others';
    orphan.thenOnly({ events: [closed('vanished', evidence)], calls: [`${LOOK} eci-other`] });
  });

  it.each([{}, { missedMs: 60_000 }])(
    'is waited for when nobody vouches for a read that does not show it, after %j',
    async (data) => {
      const orphan = await given(...asked);
      await orphan.put('RemoveOrphan', 'eci-9', data);
      orphan.eci.answers('describe', described());
      orphan.eci.answers('list', listed());
      await orphan.when();
      orphan.thenOnly({ rows: { [ROW]: { afterMs: 30_000, data } }, calls: [LOOK, 'list fleet'] });
    },
  );

  it.each(Object.entries(FAILED_READS))('is not deleted while the look is %s', async (_, answer) => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', answer);
    await orphan.when();
    orphan.thenOnly({ rows: { [ROW]: { afterMs: 750 } }, calls: [LOOK] });
  });

  it('is set aside while its account cannot be used', async () => {
    const orphan = await given(...asked);
    orphan.eci.trouble = new Error('the account was taken away');
    await orphan.when();
    orphan.thenOnly({ rows: { [ROW]: { afterMs: 750 } } });
    expect(orphan.aside).toBe(1);
    orphan.eci.trouble = undefined;
    orphan.eci.answers('describe', shown('Succeeded'));
    await orphan.when();
    expect(orphan.aside).toBe(0);
  });

  it('is not touched when it is none any more', async () => {
    const close = { type: 'Close', reason: 'not-ours', evidence: 'told' } as const;
    const orphan = await given(...asked, close);
    await orphan.put('RemoveOrphan', 'eci-9');
    await orphan.when();
    orphan.thenOnly({});
  });
});

describe('an orphan whose delete was accepted', () => {
  it.each(['Terminating', 'Running'] as const)('and that is %s is looked at again', async (status) => {
    const orphan = await given(...asked, deleted);
    orphan.eci.answers('describe', shown(status));
    await orphan.when();
    const row = { afterMs: 1_000, data: { presentMs: 1_000 } };
    orphan.thenOnly({ rows: { [ROW]: row }, calls: [LOOK] });
  });

  it('and that still runs after two minutes is deleted once more', async () => {
    const orphan = await given(...asked, deleted);
    await orphan.put('RemoveOrphan', 'eci-9', { presentMs: 121_000 });
    orphan.eci.answers('describe', shown());
    orphan.eci.answers('delete', done);
    await orphan.when();
    orphan.thenOnly({ rows: { [ROW]: { afterMs: 30_000, data: { presentMs: 151_000 } } }, calls: SENT });
  });

  it('is removed when it has ended', async () => {
    const orphan = await given(...asked, deleted);
    orphan.eci.answers('describe', shown('Succeeded'));
    await orphan.when();
    orphan.thenOnly({ events: [removed('after our delete it is Succeeded')], calls: [LOOK] });
  });

  it('is removed when a read returned others, and not this one', async () => {
    const orphan = await given(...asked, deleted);
    orphan.eci.answers('describe', described(), described(other));
    orphan.eci.answers('list', listed(other));
    await orphan.when();
    const evidence = 'after our delete a read by id returned another group, but not this one';
    orphan.thenOnly({ events: [removed(evidence)], calls: [LOOK, 'list fleet', `${LOOK} eci-other`] });
  });

  it.each([
    ['nothing else is there', []],
    ['others should be there, and none is shown', [['eci-other', STREAM]]],
  ] as const)('is removed when a second delete is answered with NotFound where %s', async (_, known) => {
    const orphan = await given(...asked, deleted);
    await orphan.say(wanted, chosen, { type: 'RecordCreate', attempt: 1, outcome: OTHERS });
    for (const [id, stream] of known) orphan.known.set(id, stream);
    orphan.eci.answers('describe', described());
    orphan.eci.answers('list', listed());
    orphan.eci.answers('delete', { kind: 'not-found' });
    await orphan.when();
    const calls = [LOOK, 'list fleet', 'delete eci-9'];
    orphan.thenOnly({ events: [removed('the cloud answered NotFound to a second delete')], calls });
  });
});

describe('a claim that is lost', () => {
  const BY_ANOTHER = { afterMs: 20_000, held: true };

  it('before the delete: nothing is sent', async () => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', () => orphan.steal().then(() => shown()));
    await orphan.when();
    orphan.thenOnly({ rows: { [ROW]: BY_ANOTHER }, calls: [LOOK] });
  });

  it.each([
    ['accepted', done],
    ['not found', { kind: 'not-found' } as const],
    ['unknown', { kind: 'unknown', reason: 'x' } as const],
  ])('while the delete is made that is %s: whoever has it finds out', async (_, answer) => {
    const orphan = await given(...asked);
    orphan.eci.answers('describe', shown());
    orphan.eci.answers('delete', () => orphan.steal().then(() => answer));
    await orphan.when();
    orphan.thenOnly({ rows: { [ROW]: { ...BY_ANOTHER, mayHaveBeenSent: true } }, calls: SENT });
  });

  it('before its end is looked for: whoever has it looks', async () => {
    const orphan = await given(...asked, deleted);
    await orphan.when(() => orphan.steal());
    orphan.thenOnly({ rows: { [ROW]: BY_ANOTHER } });
  });

  it('because it is none any more: nothing is sent', async () => {
    const orphan = await given(...asked);
    const close = { type: 'Close', reason: 'claimed', evidence: 'told', streamId: STREAM } as const;
    orphan.eci.answers('describe', () => orphan.sayOfOrphan(close).then(() => shown()));
    await orphan.when();
    orphan.thenOnly({ calls: [LOOK] });
  });
});
