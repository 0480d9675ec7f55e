import { lifeOf, streamIdOf } from '#libs/domain';
import { eventually } from '#libs/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LoopsRig } from './loops-rig.ts';
import { CLUSTER } from './names.ts';

let rig: LoopsRig;
beforeEach(async () => {
  rig = await LoopsRig.start();
});
afterEach(() => rig.stop());

/** Behind whatever the loops have written of the pod; they are at rest. */
async function append(uid: string, event: { readonly type: string; readonly schemaVersion: number }): Promise<void> {
  const streamId = streamIdOf(CLUSTER, uid);
  const expected = (await rig.stored().loadMany([streamId])).get(streamId)!.length;
  const metadata = { actor: 'somebody', decidedAt: new Date(rig.clock.now()).toISOString() };
  const events = [{ ...event, eventId: crypto.randomUUID(), data: { canary: 'canary-4711' }, metadata }];
  expect(await rig.stored().append([{ streamId, expected, events }])).toMatchObject([{ ok: true }]);
}

const STRANGE = {
  'of-a-newer-schema': { type: 'Unparked', schemaVersion: 2 },
  'of-a-type-nobody-knows': { type: 'WrittenInTheFuture', schemaVersion: 1 },
  broken: { type: 'Unparked', schemaVersion: 1 },
};

it('streams with strange events wait for people where they are seen, and all others go on', async () => {
  // given pods that run, in the streams of some of which something strange stands
  const uids = [...Object.keys(STRANGE), 'ordinary'];
  const before = rig.start();
  for (const uid of uids) await rig.runPod(uid);
  for (const uid of uids)
    await rig.hurryUntil(async () => lifeOf(await rig.state(uid)) === 'running', `${uid} runs`, 2_000);
  await before.stop();
  for (const [uid, event] of Object.entries(STRANGE)) await append(uid, event);
  const lengths = async (): Promise<number[]> =>
    Promise.all(Object.keys(STRANGE).map(async (uid) => (await rig.history(uid)).length));
  const then = await lengths();

  // when all of them are to stop
  rig.start();
  for (const uid of uids) await rig.stopPod(uid);

  // then the ordinary one does, and the stops of the others are put aside with the reason
  await rig.hurryUntil(async () => lifeOf(await rig.state('ordinary')) === 'gone', 'the ordinary pod is gone', 5_000);
  const { rows } = await eventually(
    async () => {
      const found = await rig.pool.query<{ key: string; reason: string }>(
        'select message_key as key, reason from fleet.quarantine order by message_key',
      );
      return found.rows.length === 3 && found;
    },
    { what: 'the stops of the strange ones are put aside' },
  );
  const reasons = new Map(rows.map(({ key, reason }) => [key.split('/')[1], reason]));
  expect(reasons.get('broken')).toContain('UnreadableEvent');
  expect(reasons.get('of-a-newer-schema')).toContain('UndecidableStream');
  expect(reasons.get('of-a-type-nobody-knows')).toContain('UndecidableStream');
  expect(JSON.stringify(rows)).not.toContain('canary-4711');
  // and nothing was decided on them
  expect(await lengths()).toEqual(then);
});
