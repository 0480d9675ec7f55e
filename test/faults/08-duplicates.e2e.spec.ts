/** Fault 8: every message comes five times more, in order and all at once; not one event is added. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { KafkaDesk } from './support/kafka.ts';
import { names, stepsOf } from './support/one-group.ts';

// Inventories of the agent would add to what is compared.
const fleet = useFaultFleet({ agent: { INVENTORY_SECONDS: '3600' } });

it('adds no event', async () => {
  const { cluster } = fleet;
  const kafka = new KafkaDesk(fleet);
  // given pods that run, and pods that went
  const pods = await cluster.run(names('twice', 10));
  await cluster.untilPhase(pods);
  await cluster.remove(pods.slice(0, 4));
  await judge(fleet);
  const before = await stepsOf(fleet, pods);

  // when everything that was ever said is said five times more
  const said = await kafka.read(kafka.names.intents);
  for (let time = 0; time < 5; time++)
    await kafka.send(
      kafka.names.intents,
      said.map(({ partition, message: { key, value } }) => ({ key: key?.toString() ?? null, value, partition })),
    );
  await eventually(async () => (await left()) === 0, { what: 'all of it was read', deadlineMs: 60_000 });

  // then nothing has happened
  await judge(fleet);
  expect(await stepsOf(fleet, pods)).toEqual(before);
  expect((await fleet.simulator.groups()).length).toBe(pods.length);
  expect((await fleet.api.all('/quarantine')).length).toBe(0);

  async function left(): Promise<number> {
    const ends = await kafka.ends(kafka.names.intents);
    const { rows } = await fleet.database.query<{ partition: number; next: string }>(
      `select partition, next_offset::text as next from es.inbox_offset where topic = $1`,
      [kafka.names.intents],
    );
    return [...ends].reduce(
      (sum, [partition, end]) => sum + end - Number(rows.find((row) => row.partition === partition)?.next ?? 0),
      0,
    );
  }
});
