import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '#libs/runtime';
import type { Labels } from '../profile/selectors.ts';
import { NamespaceLabels, NamespaceUnknown } from './namespace-labels.ts';

interface Cluster {
  readonly labels: NamespaceLabels;
  readonly clock: VirtualClock;
  readonly asked: string[];
  /** Returns what was asked so far. */
  answer(): Promise<void>;
}

function cluster(there: Readonly<Record<string, Labels>>, copy: Readonly<Record<string, Labels>> = {}): Cluster {
  const clock = new VirtualClock();
  const asked: string[] = [];
  let waiting: (() => void)[] = [];
  const labels = new NamespaceLabels({
    clock,
    known: (name) => (Object.hasOwn(copy, name) ? copy[name] : undefined),
    ask: (name) => {
      asked.push(name);
      return new Promise((resolve) =>
        waiting.push(() => resolve(Object.hasOwn(there, name) ? there[name] : undefined)),
      );
    },
  });
  return {
    labels,
    clock,
    asked,
    async answer() {
      for (const each of waiting.splice(0)) each();
      waiting = [];
      await new Promise(setImmediate);
    },
  };
}

describe('labels of a namespace', () => {
  it('that the copy holds are asked of nobody', async () => {
    const { labels, asked } = cluster({}, { web: { a: 'b' } });
    expect(await labels.of('web')).toEqual({ a: 'b' });
    expect(asked).toEqual([]);
  });

  it('that was made a moment ago are asked for once by a burst, and again after a second', async () => {
    const { labels, asked, clock, answer } = cluster({ fresh: { a: 'b' } });
    const burst = Array.from({ length: 50 }, () => labels.of('fresh'));
    await answer();
    expect(await Promise.all(burst)).toEqual(burst.map(() => ({ a: 'b' })));
    expect(await labels.of('fresh')).toEqual({ a: 'b' });
    expect(asked).toEqual(['fresh']);
    await clock.advance(1_001);
    const again = labels.of('fresh');
    await answer();
    await again;
    expect(asked).toEqual(['fresh', 'fresh']);
  });

  it('that are not there are asked for once in five seconds', async () => {
    const { labels, asked, clock, answer } = cluster({});
    const first = labels.of('nowhere');
    first.catch(() => undefined);
    await answer();
    await expect(first).rejects.toThrow(NamespaceUnknown);
    await clock.advance(4_900);
    await expect(labels.of('nowhere')).rejects.toThrow(NamespaceUnknown);
    expect(asked).toHaveLength(1);
  });

  it('are asked for by a few questions at a time, whatever strangers name, and known ones go on', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.string(), { minLength: 17, maxLength: 200 }), async (names) => {
        const { labels, asked, answer } = cluster({}, { 'known one of ours': {} });
        const answers = names.map((name) => labels.of(name).catch((error: unknown) => error));
        expect(asked.length).toBeLessThanOrEqual(16);
        expect(await labels.of('known one of ours')).toEqual({});
        await answer();
        for (const each of await Promise.all(answers)) expect(each).toBeInstanceOf(NamespaceUnknown);
      }),
      { numRuns: 50 },
    );
  });
});
