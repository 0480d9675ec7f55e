import type { ContainerGroupSpec } from '#libs/contracts';
import type { GroupSnapshot } from '#libs/domain';
import {
  EciClient,
  type CreateAnswer,
  type DeleteAnswer,
  type DescribeAnswer,
  type FoundGroup,
  type FrozenCreate,
  type GroupIdentity,
  type Page,
  type Placement,
  type TagFilter,
} from '#libs/eci';

/** The order in which one process sends requests and learns what streams hold. Clocks are no part of it, so that it cannot lie. */
export class Asking {
  private count = 0;

  /** The place of a request that is sent now. */
  next(): number {
    this.count += 1;
    return this.count;
  }

  /** The place of the last request so far: what is learned now is known to every later one. */
  get last(): number {
    return this.count;
  }
}

/** Says of every sight in which place its request was sent. */
export class OrderedEciClient extends EciClient {
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

  async describeOnce(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>> {
    const asked = this.asking.next();
    const answer = await this.inner.describeOnce(containerGroupIds);
    return answer.kind === 'done' ? { ...answer, value: inOrder(answer.value, asked) } : answer;
  }

  async list(filter: TagFilter, cursor?: string): Promise<DescribeAnswer<Page<FoundGroup>>> {
    const asked = this.asking.next();
    const answer = await this.inner.list(filter, cursor);
    if (answer.kind !== 'done') return answer;
    return { ...answer, value: { ...answer.value, groups: inOrder(answer.value.groups, asked) } };
  }

  async changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<Page<GroupSnapshot>>> {
    const asked = this.asking.next();
    const answer = await this.inner.changes(filter, sinceSeconds, cursor);
    if (answer.kind !== 'done') return answer;
    const groups = answer.value.groups.map((snapshot) => ({ ...snapshot, asked }));
    return { ...answer, value: { ...answer.value, groups } };
  }
}

const inOrder = (groups: readonly FoundGroup[], asked: number): FoundGroup[] =>
  groups.map((group) => ({ ...group, snapshot: { ...group.snapshot, asked } }));
