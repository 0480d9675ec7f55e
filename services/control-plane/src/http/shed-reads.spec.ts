import { VirtualClock } from '#libs/runtime';
import { expect, it } from 'vitest';
import { ReadGate } from './shed-reads.ts';

const clock = new VirtualClock();
const gateOf = (): ReadGate => new ReadGate({ atOnce: 2, waiting: 3, patienceMs: 5_000, clock });

it('lets few in, others in their order, and turns away whom it has no room for', async () => {
  const gate = gateOf();
  const answers: string[] = [];
  const come = (name: string): Promise<number> =>
    gate.enter().then((entered) => answers.push(`${name} ${entered ? 'in' : 'away'}`));
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map(come);
  await clock.advance(0);
  expect(answers.toSorted()).toEqual(['a in', 'b in', 'f away']);

  gate.leave();
  await clock.advance(0);
  expect(answers).toContain('c in');
  await clock.advance(5_000);
  expect(answers.slice(-2)).toEqual(['d away', 'e away']);
  await Promise.all(all);
});

it('has room again when all have left', async () => {
  const gate = gateOf();
  for (let round = 0; round < 3; round++) {
    expect(await Promise.all([gate.enter(), gate.enter()])).toEqual([true, true]);
    gate.leave();
    gate.leave();
  }
});
