import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../shared/for-specs.ts';
import { createDatabase, type TestDatabase } from './databases.ts';
import { startPostgres } from './start.ts';
import { temporaryFolder } from '../processes/temporary-folder.ts';

async function rows(url: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

describe('databases of a run', () => {
  const made: TestDatabase[] = [];
  afterAll(() => Promise.all(made.map((database) => database.drop())));
  const create = async (): Promise<TestDatabase> => {
    const database = await createTestDatabase();
    made.push(database);
    return database;
  };

  it('are apart from each other, also when made at once', async () => {
    const [one, other] = await Promise.all([create(), create()]);

    await rows(one.url, 'create table only_here (id int)');

    const tables = await rows(other.url, `select to_regclass('only_here') as found`);
    expect(tables).toEqual([{ found: null }]);
  });

  it('can be dropped while somebody is connected', async () => {
    const database = await create();
    const client = new pg.Client({ connectionString: database.url });
    const ended = new Promise((resolve) => client.on('error', resolve));
    await client.connect();

    await database.drop();

    await ended;
    await expect(rows(database.url, 'select 1')).rejects.toThrow('does not exist');
  });
});

describe('a server of its own', () => {
  it('keeps what was committed over kill -9', async () => {
    const server = await startPostgres({ settings: { synchronous_commit: 'on' } });
    const { url } = await createDatabase(server.url);
    await rows(url, 'create table kept as select 42 as answer');

    await server.process.kill9();
    await expect(rows(url, 'select 1')).rejects.toThrow('ECONNREFUSED');
    await server.process.start();

    expect(await rows(url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    await server.stop();
  });

  it('keeps a given data folder from one start to the next', async () => {
    const folder = temporaryFolder('kept-postgres');
    const dataDir = `${folder.path}/data`;
    const first = await startPostgres({ dataDir });
    await rows(first.url, 'create table kept as select 42 as answer');
    await first.stop();

    const second = await startPostgres({ dataDir });

    expect(await rows(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    await second.stop();
    await folder.remove();
  });
});
