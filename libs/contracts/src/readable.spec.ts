import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hide, READABLE_POD, reveal, type Readable } from './readable.ts';

const shapes: fc.Arbitrary<Readable> = fc.letrec<{ shape: Readable }>((tie) => ({
  shape: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom('scalar', 'map', 'all'),
    tie('shape').map((item) => [item] as const),
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'constructor'), tie('shape')),
  ),
})).shape;
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<unknown>('text', 7, true, null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.array(tie('value'), { maxLength: 3 }).map((inside) =>
      // JSON may name a field so; an object literal may not.
      JSON.parse(
        `{${inside.map((v, i) => `${JSON.stringify(['a', '__proto__', 'c'][i])}:${JSON.stringify(v)}`).join(',')}}`,
      ),
    ),
  ),
})).value;

describe('what is hidden', () => {
  it('and what is readable are the whole together, whatever the JSON and whatever the list says', () => {
    fc.assert(
      fc.property(values, shapes, (value, shape) => {
        // Both travel as JSON.
        const { readable, hidden } = JSON.parse(JSON.stringify(hide(value, shape))) as ReturnType<typeof hide>;
        expect(reveal(readable, hidden)).toEqual(value);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is everything that is not of the kind that is written down', () => {
    const pod = {
      uid: { not: 'a text' },
      metadata: { name: 'p', labels: { app: 'web', secret: 'x' }, annotations: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'i', command: ['x'], resources: { limits: { cpu: ['x'] } } }, 'odd'] },
    };
    expect(hide(pod, READABLE_POD).readable).toEqual({
      metadata: { name: 'p', labels: { app: 'web' } },
      spec: { containers: [{ name: 'c', image: 'i', resources: {} }, null] },
    });
  });
});
