import { describe, expect, it } from 'vitest';
import { decidePosition } from './position.ts';

const log = (start: bigint, end: bigint) => ({ start, end });
const stored = (offset: string) => ({ epoch: 3, offset });

describe('where to read on', () => {
  it.each([
    ['nothing stored', undefined, log(4n, 9n), false, { kind: 'begin', offset: 4n }],
    ['stored inside the log', stored('6'), log(4n, 9n), false, { kind: 'continue', epoch: 3, offset: 6n }],
    ['stored at the start', stored('4'), log(4n, 9n), false, { kind: 'continue', epoch: 3, offset: 4n }],
    ['stored at the end', stored('9'), log(4n, 9n), false, { kind: 'continue', epoch: 3, offset: 9n }],
    ['log ends below', stored('10'), log(4n, 9n), false, { kind: 'begin', offset: 4n }],
    ['log starts above', stored('3'), log(4n, 9n), false, { kind: 'begin', offset: 4n }],
    ['log made anew, offset inside', stored('1'), log(0n, 2n), true, { kind: 'begin', offset: 0n }],
    [
      'beyond 2^53',
      stored('9007199254740993'),
      log(0n, 9007199254740994n),
      false,
      { kind: 'continue', offset: 9007199254740993n },
    ],
  ] as const)('%s', (_name, offset, range, anew, expected) => {
    expect(decidePosition(offset, range, anew)).toMatchObject(expected);
  });
});
