import type { GroupStatus } from '#libs/domain';
import {
  EciClient,
  EciClients,
  type CreateAnswer,
  type DeleteAnswer,
  type DescribeAnswer,
  type FoundGroup,
  type FrozenCreate,
  type GroupIdentity,
  type Placement,
  type TagFilter,
} from '#libs/eci';
import type { ContainerGroupSpec } from '#libs/contracts';

interface Answers {
  create: CreateAnswer;
  delete: DeleteAnswer;
  describe: DescribeAnswer<readonly FoundGroup[]>;
  list: Awaited<ReturnType<EciClient['list']>>;
}

/** What one call comes to. An error is thrown; a function is called while the call is on its way. */
export type Scripted<Answer> = Answer | Error | (() => Answer | Promise<Answer>);

/** A cloud that answers as it was told, call by call. A call for which nothing is left to say is noted, and fails. */
export class ScriptedEci extends EciClients {
  /** Every call in its order, such as `create token-1`, `delete eci-1`, `describe eci-1 eci-2`, `list pod u1 attempt 1`, `list fleet`. */
  readonly calls: string[] = [];
  /** What the creates sent. */
  readonly sent: FrozenCreate[] = [];
  /** Why no client of the account can be had. */
  trouble: Error | undefined;
  private readonly scripts: { readonly [V in keyof Answers]: Scripted<Answers[V]>[] } = {
    create: [],
    delete: [],
    describe: [],
    list: [],
  };
  private readonly client = new ScriptedClient(this);

  /** After what was scripted before. */
  answers<V extends keyof Answers>(verb: V, ...answers: readonly Scripted<Answers[V]>[]): void {
    this.scripts[verb].push(...answers);
  }

  for(): Promise<EciClient> {
    return this.trouble ? Promise.reject(this.trouble) : Promise.resolve(this.client);
  }

  async called<V extends keyof Answers>(verb: V, ...what: readonly string[]): Promise<Answers[V]> {
    this.calls.push([verb, ...what].join(' '));
    const answer = this.scripts[verb].shift();
    if (answer === undefined) throw new Error(`nobody said what is answered to: ${this.calls.at(-1)}`);
    if (answer instanceof Error) throw answer;
    return typeof answer === 'function' ? answer() : answer;
  }
}

class ScriptedClient extends EciClient {
  private readonly eci: ScriptedEci;

  constructor(eci: ScriptedEci) {
    super();
    this.eci = eci;
  }

  freeze(spec: ContainerGroupSpec, placement: Placement, identity: GroupIdentity): FrozenCreate {
    const request = JSON.stringify({ spec, placement, identity });
    return { accountId: 'acc', region: spec.region, clientToken: placement.clientToken, request, digest: 'd' };
  }

  create(frozen: FrozenCreate): Promise<CreateAnswer> {
    this.eci.sent.push(frozen);
    return this.eci.called('create', frozen.clientToken);
  }

  delete(containerGroupId: string, { force = false } = {}): Promise<DeleteAnswer> {
    return this.eci.called('delete', containerGroupId, ...(force ? ['by force'] : []));
  }

  describeOnce(containerGroupIds: readonly string[]): Promise<Answers['describe']> {
    return this.eci.called('describe', ...containerGroupIds);
  }

  list({ podUid, attempt }: TagFilter): Promise<Answers['list']> {
    if (podUid === undefined) return this.eci.called('list', 'fleet');
    return this.eci.called('list', `pod ${podUid}`, ...(attempt === undefined ? [] : [`attempt ${attempt}`]));
  }

  changes(): Promise<never> {
    return Promise.reject(new Error('no effect asks for changes'));
  }
}

/** Tags of attempt 1 of pod `u1` in cluster `k1` of fleet `f`, unless others are said. */
export const group = (
  containerGroupId: string,
  status: GroupStatus = 'Running',
  identity: Partial<GroupIdentity> = {},
): FoundGroup => ({
  snapshot: { containerGroupId, status },
  identity: { fleet: 'f', clusterId: 'k1', podUid: 'u1', attempt: 1, ...identity },
});

export const described = (...groups: readonly FoundGroup[]) =>
  ({ kind: 'done', value: groups, requestId: 'r' }) satisfies Answers['describe'];

export const listed = (...groups: readonly FoundGroup[]) =>
  ({ kind: 'done', value: { groups }, requestId: 'r' }) satisfies Answers['list'];

/** Reads that bring nothing. */
export const FAILED_READS = {
  throttled: { kind: 'refused', code: 'Throttling.User', class: 'THROTTLED', message: 'slow down' },
  'not allowed': { kind: 'refused', code: 'Forbidden.RAM', class: 'AUTH', message: 'no' },
  'not understood': { kind: 'refused', code: 'MissingParameter', class: 'INVALID_REQUEST', message: 'no' },
  unknown: { kind: 'unknown', reason: 'no answer within the timeout' },
} as const satisfies Record<string, DescribeAnswer<never>>;
