import type { GroupIdentity } from '#libs/eci';
import type { GroupStatus } from '#libs/domain';

/** One account in one region, as it is observed. */
export interface Scope {
  readonly accountId: string;
  readonly region: string;
}

/** When the last complete sweep and the last complete inventory began, epoch milliseconds. */
export interface Observed {
  readonly sweptAt?: number;
  readonly listedAt?: number;
}

/** Places of the cloud in use, and who observes each. */
export abstract class Scopes {
  /** Makes the place known; it is observed from then on. */
  abstract ensure(accountId: string, region: string): Promise<void>;
  abstract all(): Promise<readonly Scope[]>;
  /** Takes or keeps the place for `leaseMs`; undefined when somebody else holds it. */
  abstract hold(scope: Scope, owner: string, leaseMs: number): Promise<Observed | undefined>;
  /** Notes progress while it is held. */
  abstract note(scope: Scope, owner: string, observed: Observed): Promise<void>;
  abstract leave(scope: Scope, owner: string): Promise<void>;
  /** Groups of the place that belong to streams which are not history: id → stream. */
  abstract knownGroups(scope: Scope): Promise<ReadonlyMap<string, string>>;
}

export interface Orphan extends Scope {
  readonly containerGroupId: string;
  readonly status: GroupStatus;
  readonly identity: Partial<GroupIdentity>;
  readonly createdAt?: string;
}

/** Open groups with our tag and without a stream; each is kept once. */
export abstract class Orphans {
  abstract seen(orphan: Orphan): Promise<void>;
  /** A complete inventory shows exactly these open orphans: the others are gone or have found their stream. */
  abstract keepOnly(scope: Scope, containerGroupIds: readonly string[]): Promise<void>;
}
