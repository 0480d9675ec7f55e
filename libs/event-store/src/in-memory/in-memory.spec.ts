import { eventStoreContract } from '../../spec/contract/contract.ts';
import { inMemoryUnderTest } from '../../spec/contract/in-memory.ts';

eventStoreContract('memory', () => Promise.resolve(inMemoryUnderTest()));
