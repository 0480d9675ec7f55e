/** Fault 11: a good message cannot be applied, however often it is tried; that pod's message is put aside, and the others of its partition flow. */
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { expectOneGroup, names } from './support/one-group.ts';

const fleet = useFaultFleet();

it('holds up those pods and no other', async () => {
  const { cluster } = fleet;
  await cluster.untilPhase(await cluster.run(['warm-up']));
  // given a database that refuses the events of two pods, whatever is tried: one by a rule, one in a way that nobody foresaw
  await fleet.database.query(`
    create function public.refuse_cursed() returns trigger language plpgsql as $$
    begin
      if new.data::text like '%cursed%' then raise exception 'refused for a test' using errcode = '23514'; end if;
      if new.data::text like '%hexed%' then raise exception 'no rule of any kind'; end if;
      return new;
    end $$`);
  await fleet.database.query(
    `create trigger refuse_cursed before insert on es.event for each row execute function public.refuse_cursed()`,
  );

  // when they come among others
  const stuck = await cluster.run(['cursed', 'hexed']);
  const others = await cluster.run(names('other', 16));

  // then the others run, and it is said what became of it
  await judge(fleet, { notRunning: stuck.map(({ uid }) => uid), deadlineMs: 240_000 });
  await expectOneGroup(fleet, others);
  await eventually(
    async () => {
      const keys = (await fleet.api.all('/quarantine')).map(({ key }: { key: string }) => key);
      return stuck.every(({ uid }) => keys.some((key) => key.endsWith(uid)));
    },
    { what: 'the messages of both are in quarantine', deadlineMs: 120_000 },
  );

  // and when the cause is repaired, the pods run without anybody's help: the next inventories ask for them
  await fleet.database.query('drop trigger refuse_cursed on es.event');
  await judge(fleet);
  await expectOneGroup(fleet, stuck);
  expect((await fleet.readiness()).status).toBe(200);
});
