import type { OrphanFacts } from '#libs/domain';

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

/** Open groups with our tag and without a stream, as they were seen last; each is kept once. */
export abstract class Orphans {
  /** Notes them; returns how old each is, milliseconds by the database's time, since its creation or else since it was first seen. */
  abstract note(scope: Scope, strangers: readonly OrphanFacts[]): Promise<ReadonlyMap<string, number>>;
  /** A complete inventory shows exactly these: the others are gone or have found their stream. */
  abstract keepOnly(scope: Scope, containerGroupIds: readonly string[]): Promise<void>;
}
