import { CONNECTION_OPTIONS, PATIENCE, watchedDriver } from '#libs/event-store';
import { DataSource } from 'typeorm';
import { ContainerGroupRecord } from './container-groups/container-group.entity.ts';

/** TypeORM for the read model, acting as the application role. The schema is the migrations' business, never TypeORM's. */
export function readModelDataSource(databaseUrl: string, poolSize: number): DataSource {
  return new DataSource({
    type: 'postgres',
    driver: watchedDriver,
    url: databaseUrl,
    applicationName: 'eci-fleet read-model',
    entities: [ContainerGroupRecord],
    synchronize: false,
    migrationsRun: false,
    installExtensions: false,
    poolSize,
    extra: { options: CONNECTION_OPTIONS, ...PATIENCE },
    logging: false,
  });
}
