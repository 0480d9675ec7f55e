import { EciReads, type DescribeAnswer, type FoundGroup, type Page, type TagFilter } from '#libs/eci';
import type { GroupSnapshot } from '#libs/domain';
import { backoffMs, type Clock, type Random } from '#libs/runtime';

/** How often a call is repeated that was throttled or had no answer. */
const TRIES = 6;

interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal;
}

/** Reads whose calls are repeated: the product has the quota first, so the doctor waits and asks again. */
export class PatientReads extends EciReads {
  private readonly inner: EciReads;
  private readonly patience: Patience;

  constructor(inner: EciReads, patience: Patience) {
    super();
    this.inner = inner;
    this.patience = patience;
  }

  describeOnce(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>> {
    return this.repeated(() => this.inner.describeOnce(containerGroupIds));
  }

  list(filter: TagFilter, cursor?: string): Promise<DescribeAnswer<Page<FoundGroup>>> {
    return this.repeated(() => this.inner.list(filter, cursor));
  }

  changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<Page<GroupSnapshot>>> {
    return this.repeated(() => this.inner.changes(filter, sinceSeconds, cursor));
  }

  private async repeated<T>(call: () => Promise<DescribeAnswer<T>>): Promise<DescribeAnswer<T>> {
    const { clock, random, signal } = this.patience;
    for (let tries = 1; ; tries++) {
      const answer = await call();
      const isPassing = answer.kind === 'unknown' || (answer.kind === 'refused' && answer.class === 'THROTTLED');
      if (!isPassing || tries === TRIES || signal?.aborted === true) return answer;
      await clock.sleep(backoffMs(tries, { baseMs: 500, capMs: 5_000 }, random), signal);
    }
  }
}
