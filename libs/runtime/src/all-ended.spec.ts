import { expect, it } from 'vitest';
import { allEnded } from './index.ts';

it('rejects with the first failure in their order, and not before all have ended', async () => {
  const slow = Promise.withResolvers<void>();
  let over = false;
  const all = allEnded([slow.promise.then(() => void (over = true)), undefined, Promise.reject(new Error('one'))]);
  setImmediate(() => slow.resolve());
  await expect(all).rejects.toThrow('one');
  expect(over).toBe(true);
  await expect(allEnded([Promise.resolve(1), undefined])).resolves.toBeUndefined();
});
