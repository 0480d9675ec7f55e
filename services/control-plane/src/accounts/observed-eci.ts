import {
  DOCUMENTED_CODES,
  EciClient,
  EciClients,
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
import type { ContainerGroupSpec } from '#libs/contracts';
import type { GroupSnapshot } from '#libs/domain';
import type { Logger, Metrics } from '#libs/observability';
import type { AccountDirectory } from './account-directory.ts';

/** Counts and times every call to the cloud, and notes for each account whether its key is accepted. Changes no answer. */
export class ObservedEciClients extends EciClients {
  private readonly inner: EciClients;
  private readonly observe: Observe;
  private readonly known = new WeakMap<EciClient, EciClient>();
  private readonly last = new Map<string, string>();

  constructor(parts: {
    readonly inner: EciClients;
    readonly metrics: Metrics;
    readonly accounts: AccountDirectory;
    readonly logger: Logger;
  }) {
    super();
    this.inner = parts.inner;
    const calls = parts.metrics.counter('eci_fleet_eci_calls_total', 'Calls to ECI by action and outcome class', [
      'action',
      'outcome',
    ]);
    const seconds = parts.metrics.histogram('eci_fleet_eci_call_seconds', 'How long calls to ECI take', ['action']);
    this.observe = async (accountId, action, call, word) => {
      const done = seconds.startTimer({ action });
      let answer;
      try {
        answer = await call();
      } catch (error) {
        calls.inc({ action, outcome: 'thrown' });
        throw error;
      } finally {
        done();
      }
      const { outcome, auth } = word(answer);
      calls.inc({ action, outcome });
      if (auth !== undefined) {
        if (auth.state === 'refused' && this.last.get(accountId) !== 'refused') {
          parts.logger.error('the key of a cloud account is refused', { accountId, action, reason: auth.said });
        }
        this.last.set(accountId, auth.state);
        // A note for people; no call may fail or wait because it could not be written.
        void parts.accounts
          .recordAuth(accountId, auth.state, auth.message)
          .catch((error: unknown) => parts.logger.warn('note the state of an account failed', { accountId, error }));
      }
      return answer;
    };
  }

  async for(accountId: string, region: string): Promise<EciClient> {
    const client = await this.inner.for(accountId, region);
    let observed = this.known.get(client);
    if (!observed) {
      observed = new ObservedEciClient(client, accountId, this.observe);
      this.known.set(client, observed);
    }
    return observed;
  }
}

interface Word {
  readonly outcome: string;
  readonly auth?: {
    readonly state: 'accepted' | 'refused';
    /** Shown with the account: our own words. */
    readonly message?: string;
    /** For the log: the cloud's words too. */
    readonly said?: string;
  };
}

type Observe = <T>(accountId: string, action: string, call: () => Promise<T>, word: (answer: T) => Word) => Promise<T>;

const ACCEPTED = { state: 'accepted' } as const;

/** The reference of the account leads nowhere, so nothing was even asked. */
function withoutKey(answer: { readonly reason: string; readonly noCredential?: boolean }): Pick<Word, 'auth'> {
  return answer.noCredential ? { auth: { state: 'refused', message: answer.reason, said: answer.reason } } : {};
}

/** Only codes that we know are repeated to whoever looks at the account: the rest is text of another host. */
function refusedAuth({ code, message }: { readonly code: string; readonly message: string }): Required<Word>['auth'] {
  const known = DOCUMENTED_CODES.has(code) ? `: ${code}` : '';
  return {
    state: 'refused',
    message: `the cloud refuses the key${known}; the control plane's log has its words`,
    said: `${code}: ${message}`,
  };
}

function ofCreate(answer: CreateAnswer): Word {
  switch (answer.kind) {
    case 'done':
      return { outcome: 'done', auth: ACCEPTED };
    case 'refused':
      return answer.class === 'AUTH'
        ? { outcome: answer.class, auth: refusedAuth(answer) }
        : { outcome: answer.class, auth: ACCEPTED };
    case 'retry':
      return { outcome: answer.throttled ? 'THROTTLED' : 'never-sent', ...withoutKey(answer) };
    case 'unknown':
      return { outcome: 'unknown' };
  }
}

function ofDescribe(answer: DescribeAnswer<unknown>): Word {
  if (answer.kind === 'done') return { outcome: 'done', auth: ACCEPTED };
  if (answer.kind === 'unknown') return { outcome: 'unknown', ...withoutKey(answer) };
  return answer.class === 'AUTH' ? { outcome: answer.class, auth: refusedAuth(answer) } : { outcome: answer.class };
}

class ObservedEciClient extends EciClient {
  private readonly inner: EciClient;
  private readonly accountId: string;
  private readonly observe: Observe;

  constructor(inner: EciClient, accountId: string, observe: Observe) {
    super();
    this.inner = inner;
    this.accountId = accountId;
    this.observe = observe;
  }

  freeze(spec: ContainerGroupSpec, placement: Placement, identity: GroupIdentity): FrozenCreate {
    return this.inner.freeze(spec, placement, identity);
  }

  create(frozen: FrozenCreate): Promise<CreateAnswer> {
    return this.observe(this.accountId, 'CreateContainerGroup', () => this.inner.create(frozen), ofCreate);
  }

  delete(containerGroupId: string, options?: { readonly force?: boolean }): Promise<DeleteAnswer> {
    return this.observe(
      this.accountId,
      'DeleteContainerGroup',
      () => this.inner.delete(containerGroupId, options),
      (answer) => ({ outcome: answer.kind }),
    );
  }

  describeOnce(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>> {
    return this.observe(
      this.accountId,
      'DescribeContainerGroups',
      () => this.inner.describeOnce(containerGroupIds),
      ofDescribe,
    );
  }

  list(filter: TagFilter, cursor?: string): Promise<DescribeAnswer<Page<FoundGroup>>> {
    return this.observe(this.accountId, 'DescribeContainerGroups', () => this.inner.list(filter, cursor), ofDescribe);
  }

  changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<Page<GroupSnapshot>>> {
    return this.observe(
      this.accountId,
      'DescribeContainerGroupStatus',
      () => this.inner.changes(filter, sinceSeconds, cursor),
      ofDescribe,
    );
  }
}
