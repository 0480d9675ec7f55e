/** Fault 10: bytes that are no intent, of an unknown schema, or 10 MB long; they wait in the quarantine with reason and place, and the partition goes on. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { KafkaDesk } from './support/kafka.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('puts each aside as it came, and holds nobody up', async () => {
  const { cluster } = fleet;
  const kafka = new KafkaDesk(fleet);
  // given poison in every partition; a broker of somebody's may take longer messages than ours
  await kafka.configure(kafka.names.intents, { 'max.message.bytes': String(20 * 1024 * 1024) });
  const poison = {
    nothing: null,
    garbage: Buffer.from([0xff, 0x00, 0xfe, 0x7b]),
    'not an envelope': Buffer.from('{"clear": 1}'),
    'unknown schema': Buffer.from(JSON.stringify({ clear: '{"schemaVersion":99}', jwe: {} })),
    long: Buffer.alloc(10 * 1024 * 1024, 'x'),
  };
  for (const partition of [0, 1, 2, 3])
    for (const value of Object.values(poison))
      await kafka.send(kafka.names.intents, [{ key: `${cluster.id}/poison`, value, partition }]);

  // when pods come after it
  const pods = await cluster.run(names('after', 12));

  // then they run
  await judge(fleet);
  await expectOneGroup(fleet, pods);

  // and every poison is in the quarantine, with its length, its place and why
  const count = 4 * Object.keys(poison).length;
  const items = await eventually(
    async () => {
      const found = await fleet.api.all('/quarantine');
      return found.length === count && found;
    },
    { what: `${count} messages are in quarantine`, deadlineMs: 60_000 },
  );
  for (const item of items)
    expect(item).toMatchObject({ topic: kafka.names.intents, reason: expect.stringMatching(/./) });
  const { rows } = await fleet.database.query<{ bytes: number }>(
    `select value_bytes::integer as bytes from fleet.quarantine where original is not null order by 1`,
  );
  const lengths = Object.values(poison).flatMap((value) => (value === null ? [] : Array(4).fill(value.length)));
  expect(rows.map(({ bytes }) => bytes)).toEqual(lengths.sort((a, b) => a - b));

  // and in the dead letters, which cannot hold the longest: its letter says where it was
  const letters = await kafka.read(kafka.names.deadLetter);
  expect(letters).toHaveLength(count);
  await eventually(async () => (await fleet.figure('eci_fleet_intake_quarantined_total')) === count, {
    what: `${count} messages are counted`,
  });
});
