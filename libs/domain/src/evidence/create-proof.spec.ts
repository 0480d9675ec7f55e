import { describe, expect, it } from 'vitest';
import { absenceProvesNothingMade, lookedUp } from './create-proof.ts';

describe('what is proven of a create whose outcome is not known', () => {
  it.each([
    ['nothing at first', {}, 1, { proven: 'nothing' }],
    [
      'nothing more while its last call may go on',
      { closingMs: 54_999 },
      1,
      { proven: 'no more calls', pause: 'closingMs' },
    ],
    ['that no call goes out, once it ended', { closingMs: 55_000 }, 1, { proven: 'no more calls' }],
    ['that, when whoever asks for the look-up knows so', { callsEnded: true }, 1, { proven: 'no more calls' }],
    ['that, of a pod that ran before it was known here', {}, 0, { proven: 'no more calls' }],
    [
      'one absence, until the second look-up is far enough from it',
      { callsEnded: true, absentMs: 69_999 },
      1,
      { proven: 'absent once', pause: 'absentMs' },
    ],
    [
      'one absence, and the second look-up is due',
      { callsEnded: true, absentMs: 70_000 },
      1,
      { proven: 'absent once' },
    ],
  ] as const)('%s', (_, data, attempt, progress) => {
    expect(lookedUp({ data }, attempt)).toEqual(progress);
  });

  it('nothing, once the cloud may have forgotten a group that ended', () => {
    expect([absenceProvesNothingMade(3_000_000), absenceProvesNothingMade(3_000_001)]).toEqual([true, false]);
  });
});
