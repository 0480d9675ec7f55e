import { readdirSync, readFileSync } from 'node:fs';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';

/**
 * The numbered SQL files of `sql/` as TypeORM migrations, in the order of their names. A file added there runs at the next start; a file that
 * was released is never edited. Each file runs in a transaction of its own.
 */
export function migrationDataSource(databaseUrl: string): DataSource {
  return new DataSource({
    type: 'postgres',
    url: databaseUrl,
    applicationName: 'eci-fleet migrate',
    entities: [],
    migrations: sqlFiles().map(toMigration),
    schema: 'es',
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    // Nothing but the migrations may change the schema.
    synchronize: false,
    installExtensions: false,
    poolSize: 1,
  });
}

interface SqlFile {
  readonly name: string;
  readonly number: number;
  readonly sql: string;
}

/** Beside this module, as source and as built. */
const folder = new URL('./sql/', import.meta.url);

function sqlFiles(): readonly SqlFile[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const match = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file);
      if (!match) throw new Error(`migration file ${file}: the name must look like 0001_what_it_makes.sql`);
      return {
        name: file.slice(0, -'.sql'.length),
        number: Number(match[1]),
        sql: readFileSync(new URL(file, folder), 'utf8'),
      };
    });
}

function toMigration({ name, number, sql }: SqlFile): new () => MigrationInterface {
  return class implements MigrationInterface {
    // TypeORM reads the order from the last 13 digits.
    readonly name = `${name}_${String(number).padStart(13, '0')}`;

    async up(runner: QueryRunner): Promise<void> {
      await runner.query(sql);
    }

    down(): Promise<void> {
      return Promise.reject(new Error(`${name} cannot be undone: add a migration that changes what it made`));
    }
  };
}
