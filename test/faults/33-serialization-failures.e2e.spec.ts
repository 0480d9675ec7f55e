/** Fault 33: a fifth of all writes is undone by the database (serialization failures and deadlocks); they are done again, with the same result. */
import { SeededRandom } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { expect, it } from 'vitest';
import { useFaultFleet } from './support/fleet.ts';
import { judge } from './support/judge.ts';
import { Load } from './support/load.ts';

const fleet = useFaultFleet({ replicas: [{}, {}] });

it('does again what was undone', async () => {
  // given a database that undoes every fifth transaction that writes an event, a row of work or a checkpoint
  await fleet.database.query(`
    create function public.undo_a_fifth() returns trigger language plpgsql as $$ begin
      if random() < 0.1 then raise exception 'could not serialize access due to concurrent update' using errcode = '40001'; end if;
      if random() < 0.1 then raise exception 'deadlock detected' using errcode = '40P01'; end if;
      return null;
    end $$;
    create trigger undo after insert on es.event for each statement execute function public.undo_a_fifth();
    create trigger undo after update on es.effect for each statement execute function public.undo_a_fifth();
    create trigger undo after update on es.subscription for each statement execute function public.undo_a_fifth();`);

  // when pods come and go
  const load = new Load({
    clusters: fleet.clusters,
    perSecond: 4,
    deleted: 0.5,
    random: new SeededRandom(33),
    livesMs: [0, 4_000],
  });
  load.begin();
  await eventuallyMade(load, 60);
  await load.end();

  // then all is as if nothing had happened
  await judge(fleet);
  const { rows } = await fleet.database.query<{ undone: number }>(
    'select xact_rollback::int as undone from pg_stat_database where datname = current_database()',
  );
  expect(rows[0]!.undone).toBeGreaterThan(50);
  // Nothing is parked for want of luck.
  expect((await fleet.database.query('select * from es.subscription_parked')).rows).toEqual([]);
});

async function eventuallyMade(load: Load, count: number): Promise<void> {
  await eventually(() => load.made >= count, { what: `${count} pods were made`, deadlineMs: 60_000 });
}
