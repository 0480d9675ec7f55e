import type { ContainerGroupSpec } from '#libs/contracts';
import type { ContainerGroupState, GroupSnapshot } from '#libs/domain';
import {
  EciClient,
  type CreateAnswer,
  type DeleteAnswer,
  type DescribeAnswer,
  type FoundGroup,
  type FrozenCreate,
  type GroupIdentity,
  type Placement,
  type TagFilter,
} from '#libs/eci';
import type { Clock } from '#libs/runtime';

/**
 * When requests are sent, so that of two sights of a group the newer is known, whichever process asked and however late its answer is. Clocks of
 * processes differ and are set; so a time is never before one that streams are known to hold already, nor twice the same.
 */
export class Asking {
  private readonly clock: Clock;
  private last = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The time of a request that is sent now, epoch milliseconds. */
  now(): number {
    this.last = Math.max(this.clock.now(), this.last + 1);
    return this.last;
  }

  /** Whatever is asked from now on is newer than what the stream holds. */
  learn({ group }: ContainerGroupState): void {
    this.last = Math.max(this.last, group?.askedAt ?? 0);
  }
}

/** Says of every sight when it was asked for. */
export class DatedEciClient extends EciClient {
  private readonly inner: EciClient;
  private readonly asking: Asking;

  constructor(inner: EciClient, asking: Asking) {
    super();
    this.inner = inner;
    this.asking = asking;
  }

  freeze(spec: ContainerGroupSpec, placement: Placement, identity: GroupIdentity): FrozenCreate {
    return this.inner.freeze(spec, placement, identity);
  }

  create(frozen: FrozenCreate): Promise<CreateAnswer> {
    return this.inner.create(frozen);
  }

  delete(containerGroupId: string, options?: { readonly force?: boolean }): Promise<DeleteAnswer> {
    return this.inner.delete(containerGroupId, options);
  }

  async describe(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>> {
    const askedAt = this.asking.now();
    const answer = await this.inner.describe(containerGroupIds);
    return answer.kind === 'done' ? { ...answer, value: datedGroups(answer.value, askedAt) } : answer;
  }

  async list(
    filter: TagFilter,
    cursor?: string,
  ): Promise<DescribeAnswer<{ readonly groups: readonly FoundGroup[]; readonly next?: string }>> {
    const askedAt = this.asking.now();
    const answer = await this.inner.list(filter, cursor);
    if (answer.kind !== 'done') return answer;
    return { ...answer, value: { ...answer.value, groups: datedGroups(answer.value.groups, askedAt) } };
  }

  async changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<{ readonly groups: readonly GroupSnapshot[]; readonly next?: string }>> {
    const askedAt = this.asking.now();
    const answer = await this.inner.changes(filter, sinceSeconds, cursor);
    if (answer.kind !== 'done') return answer;
    const groups = answer.value.groups.map((snapshot) => ({ ...snapshot, askedAt }));
    return { ...answer, value: { ...answer.value, groups } };
  }
}

const datedGroups = (groups: readonly FoundGroup[], askedAt: number): FoundGroup[] =>
  groups.map((group) => ({ ...group, snapshot: { ...group.snapshot, askedAt } }));
