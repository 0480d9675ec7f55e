/** What the cloud is asked about groups. How much one call or one page holds is known here and to the adapter only. */
import type { GroupSnapshot } from '#libs/domain';
import { everyPage } from './pages.ts';
import type { DescribeAnswer, Page, Unanswered } from './read-answer.ts';

/** Tags that make a group ours; a look-up by tag matches all four identity tags. Namespace and name are for people (cut to 128 characters). */
export interface GroupIdentity {
  readonly fleet: string;
  readonly clusterId: string;
  readonly podUid: string;
  readonly attempt: number;
  readonly namespace: string;
  readonly name: string;
}

export interface FoundGroup {
  readonly snapshot: GroupSnapshot;
  /** All tags, decoded when they are ours. */
  readonly identity?: Partial<GroupIdentity>;
}

export interface TagFilter {
  readonly fleet: string;
  readonly clusterId?: string;
  readonly podUid?: string;
  readonly attempt?: number;
}

/** `found`: of the calls that were answered before one was not. They are there; that others are missing from it means nothing. */
type DescribedGroups =
  | Extract<DescribeAnswer<readonly FoundGroup[]>, { kind: 'done' }>
  | (Unanswered & { readonly found?: readonly FoundGroup[] });

/** Ids of one call (eci.md §2.3). */
export const IDS_OF_A_CALL = 20;
const CALLS_AT_ONCE = 4;

/** One account in one region. Never repeats a call: callers count attempts, and each call counts against the quota. */
export abstract class EciReads {
  /** One call: full details, at most {@link IDS_OF_A_CALL} ids; an id that does not exist is missing from the answer. */
  abstract describeOnce(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>>;
  /** One page (20) of full details by tag; `next` absent = the list is complete. */
  abstract list(filter: TagFilter, cursor?: string): Promise<DescribeAnswer<Page<FoundGroup>>>;
  /** One page (200) of groups whose status changed in the last `sinceSeconds` (60–3600); absent = all. No zone, vSwitch, tags or init containers. */
  abstract changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<Page<GroupSnapshot>>>;

  /** Full details of any number of groups, four calls at once; none is made after one that was not answered. */
  async describe(containerGroupIds: readonly string[]): Promise<DescribedGroups> {
    const calls = inParts(containerGroupIds, IDS_OF_A_CALL);
    const found: FoundGroup[] = [];
    let requestId = '';
    for (const some of inParts(calls, CALLS_AT_ONCE)) {
      const answers = await Promise.all(some.map((ids) => this.describeOnce(ids)));
      for (const answer of answers) {
        if (answer.kind !== 'done') continue;
        found.push(...answer.value);
        ({ requestId } = answer);
      }
      const failed = answers.find((answer) => answer.kind !== 'done');
      if (failed) return { ...failed, found };
    }
    return { kind: 'done', value: found, requestId };
  }

  /** Every group of the filter, or what kept the list from being complete: one that is not proves nothing. */
  async listAll(filter: TagFilter): Promise<DescribeAnswer<readonly FoundGroup[]>> {
    const groups: FoundGroup[] = [];
    const answer = await this.listEach(filter, (page) => void groups.push(...page));
    return answer.kind === 'done' ? { ...answer, value: groups } : answer;
  }

  /** The same, a page at a time as they come, for lists that are long. `done` only once the last page was taken; `stopping` ends it before. */
  listEach(
    filter: TagFilter,
    take: (groups: readonly FoundGroup[]) => Promise<void> | void,
    stopping?: AbortSignal,
  ): Promise<DescribeAnswer<undefined>> {
    return everyPage((cursor) => this.list(filter, cursor), take, stopping);
  }

  /** {@link changes}, like {@link listEach}. */
  changesEach(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    take: (groups: readonly GroupSnapshot[]) => Promise<void> | void,
    stopping?: AbortSignal,
  ): Promise<DescribeAnswer<undefined>> {
    return everyPage((cursor) => this.changes(filter, sinceSeconds, cursor), take, stopping);
  }
}

/** Parts of this size, in order; the last may be smaller. */
export function inParts<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let start = 0; start < all.length; start += size) parts.push(all.slice(start, start + size));
  return parts;
}
