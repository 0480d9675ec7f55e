import { describe, expect, it } from 'vitest';
import { eciOf } from '../spec/eci-of.ts';
import type { DescribeAnswer, Page } from './read-answer.ts';
import type { FoundGroup } from './reads.ts';

const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `eci-${i}`);
const group = (containerGroupId: string): FoundGroup => ({ snapshot: { containerGroupId, status: 'Running' } });
const done = <T>(value: T): DescribeAnswer<T> => ({ kind: 'done', value, requestId: 'r' });
const refused = { kind: 'refused', code: 'Throttling.User', class: 'THROTTLED', message: 'slow down' } as const;

describe('groups by id', () => {
  /** Answers every call but those, counted from 0. */
  function cloud(fails: readonly number[] = []) {
    const calls: (readonly string[])[] = [];
    let [open, most] = [0, 0];
    const client = eciOf({
      describeOnce: async (ids: readonly string[]) => {
        const call = calls.push(ids) - 1;
        most = Math.max(most, (open += 1));
        await Promise.resolve();
        open -= 1;
        return fails.includes(call) ? refused : done(ids.map(group));
      },
    });
    return { client, calls, most: () => most };
  }

  it('are read 20 a call and four calls at once, however many they are', async () => {
    const { client, calls, most } = cloud();
    const ids = idsOf(101);
    const answer = await client.describe(ids);
    expect(answer).toEqual(done(ids.map(group)));
    expect(calls.map(({ length }) => length)).toEqual([20, 20, 20, 20, 20, 1]);
    expect(most()).toBe(4);
  });

  it('cost no call when there are none', async () => {
    const { client, calls } = cloud();
    expect(await client.describe([])).toMatchObject({ kind: 'done', value: [] });
    expect(calls).toEqual([]);
  });

  it('of a call that was not answered are not in what was found, and the answer is not done', async () => {
    const { client, calls } = cloud([1]);
    const ids = idsOf(101);
    const answer = await client.describe(ids);
    expect(answer).toEqual({ ...refused, found: [...ids.slice(0, 20), ...ids.slice(40, 80)].map(group) });
    // and whoever was told to slow down asks for no more
    expect(calls).toHaveLength(4);
  });
});

describe('a list', () => {
  const pages: Record<string, Page<FoundGroup>> = {
    first: { groups: [group('a'), group('b')], next: 'second' },
    second: { groups: [], next: 'third' },
    third: { groups: [group('c')] },
  };
  const filter = { fleet: 'f' };

  function cloud(answers: Record<string, unknown> = {}) {
    const asked: string[] = [];
    const page = (cursor = 'first') => {
      asked.push(cursor);
      return Promise.resolve(answers[cursor] ?? done(pages[cursor]));
    };
    const client = eciOf({
      list: (_: unknown, cursor?: string) => page(cursor),
      changes: (_: unknown, __: unknown, cursor?: string) => page(cursor),
    });
    return { client, asked };
  }

  it('is read to its last page, with one call a page', async () => {
    const { client, asked } = cloud();
    expect(await client.listAll(filter)).toEqual(done([group('a'), group('b'), group('c')]));
    expect(asked).toEqual(['first', 'second', 'third']);
  });

  it('of which a page is not answered says so, and holds nothing', async () => {
    expect(await cloud({ third: refused }).client.listAll(filter)).toEqual(refused);
  });

  it('whose pages repeat themselves is not complete', async () => {
    const { client } = cloud({ second: done({ groups: [], next: 'second' }) });
    expect(await client.listAll(filter)).toMatchObject({ kind: 'unknown' });
  });

  it.each(['listEach', 'changesEach'] as const)(
    'is taken a page at a time by %s, and ends when asked to',
    async (by) => {
      const { client, asked } = cloud();
      const stopping = new AbortController();
      const taken: number[] = [];
      const take = (groups: readonly unknown[]): void => {
        if (taken.push(groups.length) === 2) stopping.abort();
      };
      const answer = await (by === 'listEach'
        ? client.listEach(filter, take, stopping.signal)
        : client.changesEach(filter, undefined, take, stopping.signal));
      expect(answer).toMatchObject({ kind: 'unknown' });
      expect([taken, asked]).toEqual([
        [2, 0],
        ['first', 'second'],
      ]);
    },
  );
});
