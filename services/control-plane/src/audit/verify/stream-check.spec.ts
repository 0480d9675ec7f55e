import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Findings } from './finding.ts';
import type { StreamFace } from './history.ts';
import { checkStream } from './stream-check.ts';

const face = (head: number | undefined, versions: readonly number[], hidden: readonly number[] = []): StreamFace => ({
  streamId: 's',
  head,
  events: versions.map((version) => ({
    streamId: 's',
    version,
    type: 'T',
    recordedAt: 'then',
    isHidden: hidden.includes(version),
  })),
});

function found(stream: StreamFace, isWhole = true): string[] {
  const findings = new Findings();
  checkStream(stream, { isWhole, findings });
  return findings.list.map(({ kind, event }) => `${kind} ${event?.version}`);
}

describe('a stream as readers find it', () => {
  it.each<[string, StreamFace, readonly string[]]>([
    ['nothing in a stream that its head describes', face(3, [1, 2, 3]), []],
    ['a gap', face(3, [1, 3]), ['missing-event 2']],
    ['an end that was cut off', face(3, [1]), ['missing-event 2', 'missing-event 3']],
    ['a beginning that was cut off', face(3, [3]), ['missing-event 1', 'missing-event 2']],
    ['a head without events', face(1, []), ['missing-event 1']],
    ['an event that the head does not count', face(2, [1, 2, 3], [3]), ['hidden-event 3']],
    ['events without a head', face(undefined, [1, 2], [1, 2]), ['hidden-event 1', 'hidden-event 2']],
    ['two events of one version', face(2, [1, 2, 2]), ['inserted-event 2']],
    ['versions before the first', face(1, [-1, 0, 1]), ['inserted-event -1', 'inserted-event 0']],
    ['two and a gap, whose number is right', face(3, [1, 1, 3]), ['inserted-event 1', 'missing-event 2']],
  ])('names %s', (_, stream, expected) => expect(found(stream).sort()).toEqual([...expected].sort()));

  it('takes first versions for archived where it is told so, and no other', () => {
    expect(found(face(5, [3, 4, 5]), false)).toEqual([]);
    expect(found(face(5, [3, 5]), false)).toEqual(['missing-event 4']);
  });

  it('names a bounded number of versions, whatever a head claims', () =>
    expect(found(face(Number.MAX_SAFE_INTEGER, [1]))).toHaveLength(10));

  it('finds nothing exactly when versions are 1 to the head, each once', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 8 }),
        (head, some) => {
          const versions = some.toSorted((a, b) => a - b);
          const isSound = versions.length === head && versions.every((version, index) => version === index + 1);
          const hidden = versions.filter((version) => version > head);
          expect(found(face(head, versions, hidden)).length === 0).toBe(isSound);
        },
      ),
    ));
});
