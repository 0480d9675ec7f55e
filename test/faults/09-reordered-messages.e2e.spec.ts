/** Fault 9: messages of one pod come in any order; whatever the order, a stopped pod ends without a group, and one that was stopped first never gets one. */
import { randomUUID } from 'node:crypto';
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { KafkaDesk } from './support/kafka.ts';
import { Speaker, type Said } from './support/speaker.ts';
import { neverBroken } from './support/judge.ts';

const fleet = useFaultFleet({ clusters: [] });

const MESSAGES: readonly Said[] = ['run', 'run again', 'stop', 'object gone'];

it('comes to the same end by all ways', async () => {
  // given every order of: run, the same again and newer, stop, gone
  const kafka = new KafkaDesk(fleet);
  const speaker = await Speaker.of(fleet, 'alpha');
  const orders = permutations(MESSAGES).map((order) => ({ order, uid: randomUUID() }));

  // when each pod's messages come in its order, those of all pods among each other
  for (let turn = 0; turn < MESSAGES.length; turn++)
    await kafka.send(
      kafka.names.intents,
      await Promise.all(orders.map(({ order, uid }) => speaker.message(uid, order[turn]!))),
    );

  // then every stream has closed, and nothing is open
  await eventually(
    async () => {
      const types = await Promise.all(orders.map(({ uid }) => typesOf(uid)));
      const open = types.filter((own) => !own.includes('PodObjectGone') || !own.includes('StopRequested'));
      if (open.length > 0) throw new Error(`${open.length} are not stopped; one has ${open[0]!.join(', ')}`);
      const groups = await fleet.simulator.groups({ open: 'true' });
      if (groups.length > 0) throw new Error(`${groups.length} groups are open`);
      const { rows } = await fleet.database.query(`select kind from es.effect`);
      if (rows.length > 0) throw new Error(`${rows.length} effects wait`);
      return true;
    },
    { what: 'all pods are stopped', deadlineMs: 120_000, everyMs: 300 },
  );
  for (const { order, uid } of orders) {
    const said = order.join(', ');
    const types = await typesOf(uid);
    expect(types.filter((type) => type === 'StopRequested').length, said).toBe(1);
    expect(types.filter((type) => type === 'PodIntentAccepted').length, said).toBeLessThanOrEqual(1);
    if (!order[0]!.startsWith('run')) {
      expect(types, said).not.toContain('PodIntentAccepted');
      expect(await fleet.simulator.createsOf(uid), said).toEqual([]);
    }
    const { rows } = await fleet.database.query<{ closed: boolean }>(
      `select closed_at is not null as closed from es.stream where stream_id = $1`,
      [`container_group:alpha:${uid}`],
    );
    expect(rows, said).toEqual([{ closed: true }]);
  }
  expect(await neverBroken(fleet)).toEqual([]);
});

async function typesOf(uid: string): Promise<string[]> {
  const { rows } = await fleet.database.query<{ type: string }>(
    'select type from es.event where stream_id = $1 order by version',
    [`container_group:alpha:${uid}`],
  );
  return rows.map(({ type }) => type);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}
