import { flag, section } from '#libs/configuration';
import { databaseSettings, databaseVariables } from '#libs/event-store';
import type { InsecureTransport } from '#libs/transport';
import { z } from 'zod';

interface DatabaseSettings {
  /** With the CA of the server in it, where one is given. */
  readonly databaseUrl: string;
  /** Largest number of connections for the work of one process; lists and agents' calls have a quarter as many each besides. */
  readonly databasePoolSize: number;
  /** Bring the database to the newest schema at start. */
  readonly migrate: boolean;
  /** What leaves this machine without being encrypted and authenticated, as allowed. */
  readonly insecureTransports: readonly InsecureTransport[];
}

export const database = section({
  variables: {
    ...databaseVariables,
    DATABASE_POOL_SIZE: {
      meaning:
        'most connections to PostgreSQL for the work of this process, 4–200; lists and agents’ calls have a quarter as many each besides',
      default: '20',
      unit: 'connections',
      schema: z.coerce.number().int().min(4).max(200),
    },
    DATABASE_MIGRATE: {
      meaning: 'bring the database to the newest schema at start: true or false',
      default: 'true',
      schema: flag,
    },
  },
  settings: (v, given): DatabaseSettings | undefined => {
    const settings = databaseSettings(given);
    return settings && { ...settings, databasePoolSize: v.DATABASE_POOL_SIZE, migrate: v.DATABASE_MIGRATE };
  },
});
