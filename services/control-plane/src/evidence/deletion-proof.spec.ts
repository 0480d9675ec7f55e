import type { Vouched } from '#libs/domain';
import type { DeleteAnswer } from '#libs/eci';
import type { JsonObject } from '#libs/event-store';
import { expect, it } from 'vitest';
import { proveDeletion } from './deletion-proof.ts';

const done: DeleteAnswer = { kind: 'done', requestId: 'r' };

async function proofOf(vouched: Vouched, data: JsonObject, answer: DeleteAnswer = done) {
  let deletes = 0;
  const proof = await proveDeletion({ data }, { shown: true, vouched }, () => {
    deletes += 1;
    return Promise.resolve(answer);
  });
  return { proof, deletes };
}

it('a read that others vouch for proves it, without another delete', async () => {
  const { proof, deletes } = await proofOf('witness', {});
  expect(proof.gone).toContain('returned another group');
  expect(deletes).toBe(0);
});

it('NotFound to another delete proves it, whoever vouches', async () => {
  const { proof } = await proofOf('nobody', {}, { kind: 'not-found' });
  expect(proof).toEqual({ gone: 'the cloud answered NotFound to a second delete' });
});

it('else the row remembers another delete beside what it held, and reads after it prove it where nothing else is', async () => {
  const first = await proofOf('nothing to see', { missedMs: 20_000, kept: 'x' });
  expect(first).toMatchObject({ deletes: 1, proof: { lookAgainMs: 5_000, isUnvouchedForLong: false } });
  const data = first.proof.gone === undefined ? first.proof.data : {};
  expect(data).toEqual({ missedMs: 20_000, kept: 'x', deleteTriedMs: 20_000, deletedAgainMs: 20_000 });
  const later = await proofOf('nothing to see', { ...data, missedMs: 30_000 });
  expect(later.deletes).toBe(0);
  expect(later.proof.gone).toContain('for 30 s');
});

it('a delete that was not answered is tried again, but not at once', async () => {
  const { proof } = await proofOf('nobody', { missedMs: 60_000 }, { kind: 'unknown', reason: 'no answer' });
  expect(proof).toMatchObject({ data: { deleteTriedMs: 60_000 }, lookAgainMs: 30_000, isUnvouchedForLong: true });
  expect((await proofOf('nobody', { missedMs: 65_000, deleteTriedMs: 60_000 })).deletes).toBe(0);
  expect((await proofOf('nobody', { missedMs: 70_000, deleteTriedMs: 60_000 })).deletes).toBe(1);
});
