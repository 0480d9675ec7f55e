import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTestDatabase } from '#libs/testing';
import { inMemoryUnderTest } from '../../spec/contract/in-memory.ts';
import { postgresUnderTest } from '../../spec/contract/postgres.ts';
import type { StoreUnderTest } from '../../spec/contract/under-test.ts';
import { InvalidAppend } from '../append-checks.ts';
import { CheckpointMoved } from '../checkpoints.ts';
import { BEGINNING, CursorOfAnotherLog } from '../cursor.ts';
import { InboxMoved } from '../event-store.ts';
import { comparable } from '../../spec/side-by-side/comparable.ts';
import { operation, perform, rememberingOf, type Operation } from '../../spec/side-by-side/operations.ts';

const START = Date.UTC(2026, 10, 23);

const REFUSALS = [InvalidAppend, CheckpointMoved, CursorOfAnotherLog, InboxMoved];

/** The store's own refusals are answers. A busy server that gave up a statement, or hid events for too long, says nothing about the store. */
function refusal(error: unknown, index: number, op: Operation): { readonly threw: string } {
  if (error instanceof Error && REFUSALS.some((refused) => error instanceof refused)) return { threw: error.name };
  throw new Error(`no answer to call ${index}, ${op.do}`, { cause: error });
}

/** Both stores, empty, at the same moment. */
async function both(): Promise<{ readonly memory: StoreUnderTest; readonly postgres: StoreUnderTest }> {
  const postgres = await postgresUnderTest(await createTestDatabase());
  await postgres.owner.query('select es.stop_clock($1)', [new Date(START)]);
  return { postgres, memory: inMemoryUnderTest(START) };
}

async function side(under: StoreUnderTest, operations: readonly Operation[]): Promise<readonly unknown[]> {
  const answers: unknown[] = [];
  const remembered = rememberingOf();
  for (const [index, op] of operations.entries()) {
    const answer = await perform(under, op, index, remembered).catch((error: unknown) => refusal(error, index, op));
    answers.push({ op: `${index} ${op.do}`, answer: comparable(answer) });
  }
  await under.settled();
  answers.push({ op: 'the whole log', answer: comparable(await under.store.readAll(BEGINNING, 1_000)) });
  answers.push({ op: 'depth', answer: await under.effects.depth(), closed: await under.closedStreams() });
  return answers;
}

describe('the store in memory and the one on PostgreSQL', () => {
  it('give the same answers to the same calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 120, size: 'max' }), async (operations) => {
        const { memory, postgres } = await both();
        try {
          expect(await side(memory, operations)).toEqual(await side(postgres, operations));
        } finally {
          await postgres.close();
        }
      }),
      // A few hundred calls to each; a failure prints its seed and path, and the shortest sequence that still differs.
      { numRuns: Number(process.env['SIDE_BY_SIDE_RUNS'] ?? 8), interruptAfterTimeLimit: 50_000, endOnFailure: false },
    );
  });
});
