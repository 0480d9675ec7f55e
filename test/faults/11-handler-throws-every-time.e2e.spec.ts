/** Fault 11: a good message cannot be applied, however often it is tried; that pod's message is put aside, and the others of its partition flow. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('holds up one pod and no other', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given a database that refuses the events of one pod, whatever is tried
  await fleet.database.query(`
    create function public.refuse_cursed() returns trigger language plpgsql as $$
    begin
      if new.data::text like '%cursed%' then raise exception 'refused for a test' using errcode = '23514'; end if;
      return new;
    end $$`);
  await fleet.database.query(
    `create trigger refuse_cursed before insert on es.event for each row execute function public.refuse_cursed()`,
  );

  // when it comes among others
  const [cursed] = await cluster.run(['cursed']);
  const others = await cluster.run(names('other', 16));

  // then the others run, and it is said what became of it
  await judge(fleet, { notRunning: [cursed!.uid] });
  await expectOneGroup(fleet, others);
  await eventually(
    async () => (await fleet.api.all('/quarantine')).some(({ key }: { key: string }) => key.endsWith(cursed!.uid)),
    { what: 'the message of the cursed pod is in quarantine', deadlineMs: 30_000 },
  );

  // and when the cause is repaired, the pod runs without anybody's help: the next inventories ask for it
  await fleet.database.query('drop trigger refuse_cursed on es.event');
  await judge(fleet);
  await expectOneGroup(fleet, [cursed!]);
  expect((await fleet.readiness()).status).toBe(200);
});
