import type { DescribeAnswer, EciClient, FoundGroup, TagFilter } from '#libs/eci';

/** A filter this narrow never has more; a chain of pages that does not end is no complete list. */
const MOST_PAGES = 2_000;

/** Every group of the filter, or what kept the list from being complete. */
export async function listAll(client: EciClient, filter: TagFilter): Promise<DescribeAnswer<readonly FoundGroup[]>> {
  const groups: FoundGroup[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = await client.list(filter, cursor);
    if (answer.kind !== 'done') return answer;
    groups.push(...answer.value.groups);
    cursor = answer.value.next;
    if (cursor === undefined) return { kind: 'done', value: groups, requestId: answer.requestId };
  }
  return { kind: 'unknown', reason: `the list did not end after ${MOST_PAGES} pages` };
}
