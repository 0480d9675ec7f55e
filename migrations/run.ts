import pg from 'pg';
import { applyFunctions, functionTexts, type FunctionText } from './functions.ts';
import { migrationDataSource, numberedFiles, type NumberedFile } from './numbered.ts';

/** What a release brings to a database. */
export interface Release {
  readonly numbered: readonly NumberedFile[];
  readonly functions: readonly FunctionText[];
}

/** The server or the login cannot hold the fleet's database. The message says what to change. */
export class UnfitDatabase extends Error {
  override readonly name = 'UnfitDatabase';
}

/** Any number that no other program uses as an advisory lock in this database. */
const LOCK = 727_340_117;

/**
 * Brings the database to the newest schema: numbered files first, then functions. Does nothing when it is there already, or further. Several
 * processes may call it at once, also of several releases: they take turns. The login must own the database (or be able to make schemas in it) and
 * be able to make roles. `release`: the one that this is, but for tests.
 */
export async function migrate(databaseUrl: string, release: Release = thisRelease()): Promise<void> {
  const turn = new pg.Client({ connectionString: databaseUrl, application_name: 'eci-fleet migrate' });
  // A connection that dies while we wait for the migrations shows up in the next query.
  turn.on('error', () => {});
  await turn.connect();
  try {
    await refuseUnfit(turn);
    await turn.query('select pg_advisory_lock($1)', [LOCK]);
    await turn.query('create schema if not exists es');
    const isNew = (await turn.query(`select 1 where to_regclass('es.migration') is null`)).rows.length === 1;
    const source = migrationDataSource(databaseUrl, release.numbered);
    await source.initialize();
    try {
      await source.runMigrations();
      await applyFunctions(turn, release.functions, release.numbered.at(-1)!.number);
      // No process that cannot do this ever served here; when this is lost, the fleet is taken for one that an older release began.
      if (isNew)
        await turn.query(`insert into fleet.begun_with (ability) values ('display-keys') on conflict do nothing`);
    } finally {
      await source.destroy();
    }
  } finally {
    await turn.end();
  }
}

export function thisRelease(): Release {
  return { numbered: numberedFiles(), functions: functionTexts() };
}

async function refuseUnfit(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string }>(
    `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding`,
  );
  const { version, encoding } = rows[0]!;
  if (version < 170_000) {
    throw new UnfitDatabase(
      `PostgreSQL 17 or newer is needed (transaction_timeout); the server is ${Math.floor(version / 10_000)}`,
    );
  }
  if (encoding !== 'UTF8') {
    throw new UnfitDatabase(
      `the database's encoding is ${encoding}; create it with encoding 'UTF8' (and template template0)`,
    );
  }
}
