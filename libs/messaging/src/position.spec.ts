import { describe, expect, it } from 'vitest';
import { decidePosition, findPosition } from './position.ts';

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

describe('a reader that finds its place', () => {
  /** The offset and the end of its log move on, one message after the other, before every answer. */
  function others(answers: { readonly load: number; readonly look: number }) {
    let end = 4n;
    const begun: string[] = [];
    const goOn = (times: number): void => void (end += BigInt(times));
    return {
      begun,
      load: () => {
        goOn(answers.load);
        return Promise.resolve({ epoch: 3, offset: end.toString() });
      },
      look: () => {
        goOn(answers.look);
        return Promise.resolve(log(0n, end));
      },
      begin: (offset: string) => {
        begun.push(offset);
        return Promise.resolve(4);
      },
    };
  }

  it.each([
    { load: 0, look: 0 },
    { load: 5, look: 0 },
    { load: 0, look: 5 },
    { load: 5, look: 5 },
  ])('begins no epoch in a log that others go on in, by %j messages before each answer', async (answers) => {
    const { begun, ...parts } = others(answers);
    const found = await findPosition({ ...parts, signal: new AbortController().signal });
    expect(found).toMatchObject({ epoch: 3, offset: BigInt(4 + answers.load), begun: false });
    expect(begun).toEqual([]);
  });

  it.each(['load', 'look'] as const)('begins none when its partition is taken away before %s answers', async (when) => {
    const { begun, ...parts } = others({ load: 0, look: 0 });
    const leaving = new AbortController();
    const found = await findPosition({
      ...parts,
      load: () => {
        if (when === 'load') leaving.abort();
        return Promise.resolve(undefined);
      },
      look: () => {
        if (when === 'look') leaving.abort();
        return parts.look();
      },
      signal: leaving.signal,
    });
    expect(found).toBeUndefined();
    expect(begun).toEqual([]);
  });

  it('says so when it has begun one', async () => {
    const { begun, ...parts } = others({ load: 0, look: 0 });
    const found = await findPosition({
      ...parts,
      look: () => log(1n, 2n),
      signal: new AbortController().signal,
    });
    expect(found).toEqual({ epoch: 4, offset: 1n, range: log(1n, 2n), begun: true });
    expect(begun).toEqual(['1']);
  });
});
