import { readdirSync, readFileSync } from 'node:fs';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';

/** Tables and data of a release, step by step. What was released is never edited. */
export interface NumberedFile {
  /** As in `0001_event_store`. */
  readonly name: string;
  /** Four digits, the order of all files and so of releases. */
  readonly number: string;
  readonly sql: string;
}

/** Beside this module, as source and as built. */
const FOLDER = new URL('./sql/', import.meta.url);

/** The files of `sql/`, in the order of their numbers. */
export function numberedFiles(): readonly NumberedFile[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => {
      const match = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file);
      if (!match) throw new Error(`migration file ${file}: the name must look like 0001_what_it_makes.sql`);
      return {
        name: file.slice(0, -'.sql'.length),
        number: match[1]!,
        sql: readFileSync(new URL(file, FOLDER), 'utf8'),
      };
    });
}

/** Those files as TypeORM migrations: each that did not run yet runs at the next start, in a transaction of its own. */
export function migrationDataSource(databaseUrl: string, files: readonly NumberedFile[]): DataSource {
  return new DataSource({
    type: 'postgres',
    url: databaseUrl,
    applicationName: 'eci-fleet migrate',
    entities: [],
    migrations: files.map(toMigration),
    schema: 'es',
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    // Nothing but the migrations may change the schema.
    synchronize: false,
    installExtensions: false,
    poolSize: 1,
  });
}

function toMigration({ name, number, sql }: NumberedFile): new () => MigrationInterface {
  return class implements MigrationInterface {
    // TypeORM reads the order from the last 13 digits.
    readonly name = `${name}_${number.padStart(13, '0')}`;

    async up(runner: QueryRunner): Promise<void> {
      await runner.query(sql);
    }

    down(): Promise<void> {
      return Promise.reject(new Error(`${name} cannot be undone: add a migration that changes what it made`));
    }
  };
}
