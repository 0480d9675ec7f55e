/** The cloud in few verbs with typed answers. Real adapter: the Alibaba SDK; a simulation may bring another. */
import type { ContainerGroupSpec } from '#libs/contracts';
import type { CreateOutcome, GroupSnapshot } from '#libs/domain';

/** Tags that make a group ours; a look-up by tag matches all four identity tags. Namespace and name are for people (cut to 128 characters). */
export interface GroupIdentity {
  readonly fleet: string;
  readonly clusterId: string;
  readonly podUid: string;
  readonly attempt: number;
  readonly namespace: string;
  readonly name: string;
}

/** A create as it will be sent, byte for byte, however often it is repeated. Holds secrets: seal it before it rests anywhere. */
export interface FrozenCreate {
  readonly accountId: string;
  readonly region: string;
  readonly clientToken: string;
  /** JSON of the request's fields. */
  readonly request: string;
  /** SHA-256 of `request`, hex. */
  readonly digest: string;
}

export interface Placement {
  readonly clientToken: string;
  readonly vSwitchIds: readonly string[];
  /** The policy's order is kept. */
  readonly ordered: boolean;
  readonly specs: readonly string[];
  readonly spot: boolean;
}

export interface FoundGroup {
  readonly snapshot: GroupSnapshot;
  /** All tags, decoded when they are ours. */
  readonly identity?: Partial<GroupIdentity>;
}

/** `throttled` inside `retry` tells the pacer; `noCredential` there: the account's reference to its key leads nowhere. */
export type CreateAnswer = CreateOutcome & { readonly throttled?: boolean; readonly noCredential?: boolean };

export type DescribeAnswer<T> =
  | { readonly kind: 'done'; readonly value: T; readonly requestId: string }
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly class: 'THROTTLED' | 'AUTH' | 'INVALID_REQUEST' | 'NOT_FOUND' | 'QUOTA';
      readonly message: string;
    }
  /** `noCredential`: nothing was asked, because the account's reference to its key leads nowhere. */
  | { readonly kind: 'unknown'; readonly reason: string; readonly noCredential?: boolean };

export type DeleteAnswer =
  | { readonly kind: 'done'; readonly requestId: string }
  /** The cloud knows no such group: gone. */
  | { readonly kind: 'not-found' }
  /** Wait and repeat: the group's state does not allow it now. */
  | { readonly kind: 'conflict'; readonly code: string }
  | { readonly kind: 'throttled' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown'; readonly reason: string };

export interface TagFilter {
  readonly fleet: string;
  readonly clusterId?: string;
  readonly podUid?: string;
  readonly attempt?: number;
}

/** One account in one region. Never retries: callers count attempts. Both timeouts are set (15 s). No answer holds a URL or a secret. */
export abstract class EciClient {
  /** Pure: same inputs, same bytes. */
  abstract freeze(spec: ContainerGroupSpec, placement: Placement, identity: GroupIdentity): FrozenCreate;
  abstract create(frozen: FrozenCreate): Promise<CreateAnswer>;
  abstract delete(containerGroupId: string, options?: { readonly force?: boolean }): Promise<DeleteAnswer>;
  /** Full details, at most 20 ids; an id that does not exist is missing from the answer. */
  abstract describe(containerGroupIds: readonly string[]): Promise<DescribeAnswer<readonly FoundGroup[]>>;
  /** One page (20) of full details by tag; `next` absent = the list is complete. */
  abstract list(
    filter: TagFilter,
    cursor?: string,
  ): Promise<DescribeAnswer<{ readonly groups: readonly FoundGroup[]; readonly next?: string }>>;
  /** One page (200) of groups whose status changed in the last `sinceSeconds` (60–3600); absent = all. No zone, vSwitch, tags or init containers. */
  abstract changes(
    filter: TagFilter,
    sinceSeconds: number | undefined,
    cursor?: string,
  ): Promise<DescribeAnswer<{ readonly groups: readonly GroupSnapshot[]; readonly next?: string }>>;
}

/** Makes clients for accounts; keeps one for each (account, region). */
export abstract class EciClients {
  /** Rejects with CloudAccountUnusable; with anything else for a trouble of ours. */
  abstract for(accountId: string, region: string): Promise<EciClient>;
}
