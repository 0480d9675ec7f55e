/** Fault 6: the topic of intents is made anew and its offsets begin at 0; that is a new log epoch, and nothing that was done is done again. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { KafkaDesk } from './support/kafka.ts';
import { expectOneGroup, names, stepsOf } from './support/one-group.ts';

const fleet = useFaultFleet();

it('begins a new epoch at the start of the log', async () => {
  const { cluster } = fleet;
  const kafka = new KafkaDesk(fleet);
  const epochs = async (): Promise<number[]> => {
    const { rows } = await fleet.database.query<{ epoch: number }>(
      `select epoch from es.inbox_offset where topic = $1 order by partition`,
      [kafka.names.intents],
    );
    return rows.map(({ epoch }) => epoch);
  };
  // given a log that has been read beyond its start
  const before = await cluster.run(names('before', 32));
  await judge(fleet);
  const steps = await stepsOf(fleet, before);
  const former = await epochs();

  // when it is emptied
  await kafka.recreate(kafka.names.intents, former.length);

  // then what comes later is done
  const after = await cluster.run(names('after', 6));
  await judge(fleet);
  await expectOneGroup(fleet, [...before, ...after]);

  // in a new epoch (but for a partition of which nothing had been read), and what was done before was not touched
  await eventually(async () => (await epochs()).some((epoch, partition) => epoch > former[partition]!), {
    what: 'partitions have begun a new epoch',
    deadlineMs: 60_000,
  });
  expect(await stepsOf(fleet, before)).toEqual(steps);
});
