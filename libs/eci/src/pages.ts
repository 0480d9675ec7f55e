import type { DescribeAnswer, Page } from './read-answer.ts';

/** Fewer than any quota allows in an hour (eci.md §8.1); a chain of pages that does not end is no complete list. */
const MOST_PAGES = 20_000;

/** Takes one page after another. `done` once the last was taken; else why it was not read to its end. */
export async function everyPage<T>(
  ask: (cursor: string | undefined) => Promise<DescribeAnswer<Page<T>>>,
  take: (groups: readonly T[]) => Promise<void> | void,
  stopping?: AbortSignal,
): Promise<DescribeAnswer<undefined>> {
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    if (stopping?.aborted === true) return { kind: 'unknown', reason: 'the list was not read to its end' };
    const answer = await ask(cursor);
    if (answer.kind !== 'done') return answer;
    const { groups, next } = answer.value;
    await take(groups);
    if (next === undefined) return { kind: 'done', value: undefined, requestId: answer.requestId };
    if (next === cursor) return { kind: 'unknown', reason: 'the cloud repeats a page' };
    cursor = next;
  }
  return { kind: 'unknown', reason: `the list did not end after ${MOST_PAGES} pages` };
}
