import { SeededRandom, VirtualClock } from '#libs/runtime';
import { expect, it } from 'vitest';
import { eciOf } from '../../../../libs/eci/spec/eci-of.ts';
import { PatientReads } from './patient-reads.ts';

class NoWaits extends VirtualClock {
  override sleep(): Promise<void> {
    return Promise.resolve();
  }
}

const ids = Array.from({ length: 21 }, (_, i) => `eci-${i}`);
const throttled = { kind: 'refused', code: 'Throttling.User', class: 'THROTTLED', message: 'slow down' };
const forbidden = { kind: 'refused', code: 'Forbidden.RAM', class: 'AUTH', message: 'no' };

/** `answers`: of the calls with more than one id, in order; the last for ever. */
function patient(...answers: readonly object[]) {
  const calls: number[] = [];
  let asked = 0;
  const describeOnce = (some: readonly string[]) => {
    calls.push(some.length);
    if (some.length === 1) return Promise.resolve({ kind: 'done', value: [], requestId: 'r' });
    return Promise.resolve(answers[Math.min(asked++, answers.length - 1)]);
  };
  const reads = new PatientReads(eciOf({ describeOnce }), { clock: new NoWaits(), random: new SeededRandom(1) });
  return { reads, calls: () => calls.toSorted((a, b) => a - b) };
}

it('repeats the call that was throttled or had no answer, and no other', async () => {
  const { reads, calls } = patient(
    throttled,
    { kind: 'unknown', reason: '' },
    { kind: 'done', value: [], requestId: 'r' },
  );
  expect(await reads.describe(ids)).toMatchObject({ kind: 'done' });
  expect(calls()).toEqual([1, 20, 20, 20]);
});

it('does not repeat what is refused for good, nor for ever', async () => {
  const refused = patient(forbidden);
  expect(await refused.reads.describe(ids)).toMatchObject({ code: 'Forbidden.RAM' });
  expect(refused.calls()).toEqual([1, 20]);
  const busy = patient(throttled);
  expect(await busy.reads.describe(ids)).toMatchObject({ class: 'THROTTLED' });
  expect(busy.calls()).toEqual([1, 20, 20, 20, 20, 20, 20]);
});
