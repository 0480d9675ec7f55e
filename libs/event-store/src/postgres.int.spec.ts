import { createTestDatabase } from '#libs/testing';
import { eventStoreContract } from '../spec/contract/contract.ts';
import { postgresUnderTest } from '../spec/contract/postgres.ts';

eventStoreContract('PostgreSQL', async () => postgresUnderTest(await createTestDatabase()));
