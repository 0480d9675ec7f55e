import { eventStoreContract } from '../contract/contract.ts';
import { inMemoryUnderTest } from '../contract/in-memory.ts';

eventStoreContract('memory', () => Promise.resolve(inMemoryUnderTest()));
