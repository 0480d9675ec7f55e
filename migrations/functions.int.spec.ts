import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmptyDatabase, type TestDatabase } from '#libs/testing';
import { functionText, functionTexts } from './functions.ts';
import { migrationDataSource, numberedFiles } from './numbered.ts';
import { migrate, thisRelease, type Release } from './run.ts';

let database: TestDatabase;
let client: pg.Client;
beforeEach(async () => {
  database = await createEmptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterEach(async () => {
  await client.end();
  await database.drop();
});

const rows = async (sql: string, on = client): Promise<Record<string, unknown>[]> =>
  (await on.query<Record<string, unknown>>(sql)).rows;

/** Everything that makes a function what it is. */
const functions = (on = client): Promise<Record<string, unknown>[]> =>
  rows(
    `select n.nspname || '.' || p.proname as name, pg_get_functiondef(p.oid) as definition, r.rolname as owner, p.prosecdef, p.proconfig,
            array(select a::text from unnest(coalesce(p.proacl, acldefault('f', p.proowner))) a order by 1) as may
       from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles r on r.oid = p.proowner
      where n.nspname in ('es', 'fleet') order by 1`,
    on,
  );

/** As 0.2.0 migrates: its numbered files, which make functions too, and nothing else. */
async function migrateAs020(): Promise<void> {
  await client.query('create schema if not exists es');
  const source = migrationDataSource(
    database.url,
    numberedFiles().filter(({ number }) => number <= '0070'),
  );
  await source.initialize();
  await source.runMigrations().finally(() => source.destroy());
}

const CHANGED = 'es.partition_name';
const answer = async (): Promise<unknown> => (await rows(`select es.partition_name('2026-01-01') as name`))[0]!['name'];

/** The release after this one: a function of it does something else. */
function nextRelease(text = present(CHANGED).replace("'event_'", "'next_'")): Release {
  const { numbered, functions: texts } = thisRelease();
  return {
    numbered: [...numbered, { name: '9990_next', number: '9990', sql: 'create table es.next ()' }],
    functions: texts.map((old) => (old.name === CHANGED ? functionText(CHANGED, text) : old)),
  };
}

const present = (name: string): string => functionTexts().find((text) => text.name === name)!.sql;

/** Ends the session that notes the text of the function: it has replaced it in the same transaction. */
async function killWhoNotes(name: string): Promise<void> {
  await client.query(`
    create function public.die() returns trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
    create trigger die after insert or update on es.function_text for each row when (new.name = '${name}') execute function public.die()`);
}

describe('functions', () => {
  it('are those of the files, every one, with bodies that PostgreSQL understands', async () => {
    await migrate(database.url);

    const texts = functionTexts();
    expect((await functions()).map(({ name }) => name)).toEqual(texts.map(({ name }) => name));
    expect(await rows('select name, digest from es.function_text order by name')).toEqual(
      texts.map(({ name, digest }) => ({ name, digest })),
    );
    await client.query('begin; set local check_function_bodies = on');
    for (const { sql } of texts) await client.query(sql);
    await client.query('rollback');
  });

  it('are the same in a database that 0.2.0 began and in a new one', async () => {
    await migrateAs020();
    await migrate(database.url);

    const other = await createEmptyDatabase();
    await migrate(other.url);
    const fresh = new pg.Client({ connectionString: other.url });
    await fresh.connect();
    expect(await functions()).toEqual(await functions(fresh));
    await fresh.end();
    await other.drop();
  });

  it('may be executed by their owner and the application, and by nobody else', async () => {
    await migrate(database.url);

    const strangers = await rows(
      `select p.oid::regprocedure::text as name, a.grantee::regrole::text as grantee
         from pg_proc p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        where p.pronamespace in ('es'::regnamespace, 'fleet'::regnamespace)
          and a.grantee not in (p.proowner, 'eci_fleet_app'::regrole)`,
    );
    expect(strangers).toEqual([]);
  });

  it('are replaced when their text changed, and only those', async () => {
    await migrate(database.url);
    const before = await rows('select name, applied_at::text as at from es.function_text order by name');

    await migrate(database.url, nextRelease());

    expect(await answer()).toBe('next_2026_01');
    const after = await rows('select name, applied_at::text as at from es.function_text order by name');
    expect(after.filter((row, i) => row['at'] !== before[i]!['at'])).toMatchObject([{ name: CHANGED }]);
  });

  it('stay when an older release starts again: one that has files of functions, and one that has none', async () => {
    await migrate(database.url, nextRelease());
    const after = await functions();

    await migrate(database.url);
    await migrateAs020();

    expect(await functions()).toEqual(after);
    expect(await answer()).toBe('next_2026_01');
  });

  it('are those of the newest release, whoever migrates at the same time', async () => {
    await Promise.all([1, 2, 3].flatMap(() => [migrate(database.url, nextRelease()), migrate(database.url)]));

    expect(await answer()).toBe('next_2026_01');
    expect(await rows(`select count(*)::int as texts from es.function_text`)).toEqual([
      { texts: functionTexts().length },
    ]);
  });

  it('change together with what is noted of them, or not at all, and an older release waits for the newer one', async () => {
    // given a database of this release
    await migrate(database.url);
    await killWhoNotes(CHANGED);

    // when the next one dies between a function and its note
    await expect(migrate(database.url, nextRelease())).rejects.toThrow();

    // then nothing of it is there but its table
    expect(await answer()).toBe('event_2026_01');
    const digests = await rows('select name, digest from es.function_text order by name');
    expect(digests).toEqual(functionTexts().map(({ name, digest }) => ({ name, digest })));

    // and this release touches no function any more
    await client.query('drop trigger die on es.function_text');
    await client.query(`update es.function_text set digest = 'other' where name = 'es.now'`);
    await migrate(database.url);
    expect(await rows(`select digest from es.function_text where name = 'es.now'`)).toEqual([{ digest: 'other' }]);

    // and the next one brings it to its end
    await migrate(database.url, nextRelease());
    expect(await answer()).toBe('next_2026_01');
  });

  it('that cannot be replaced are named, and nothing is changed', async () => {
    await migrate(database.url);
    const before = await functions();

    const other = present(CHANGED).replace('returns text', 'returns varchar');
    await expect(migrate(database.url, nextRelease(other))).rejects.toThrow(
      'function es.partition_name: cannot change return type of existing function',
    );

    expect(await functions()).toEqual(before);
  });
});
