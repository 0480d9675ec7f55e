import { createTestDatabase } from '#libs/testing';
import { eventStoreContract } from './contract/contract.ts';
import { postgresUnderTest } from './contract/postgres.ts';

eventStoreContract('PostgreSQL', async () => postgresUnderTest(await createTestDatabase()));
