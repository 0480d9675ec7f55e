/** The cloud in few verbs with typed answers. Real adapter: the Alibaba SDK; a simulation may bring another. */
import type { ContainerGroupSpec } from '#libs/contracts';
import type { CreateOutcome } from '#libs/domain';
import { EciReads, type GroupIdentity } from './reads.ts';

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

/** `throttled` inside `retry` tells the pacer; `noCredential` there: the account's reference to its key leads nowhere. */
export type CreateAnswer = CreateOutcome & { readonly throttled?: boolean; readonly noCredential?: boolean };

export type DeleteAnswer =
  | { readonly kind: 'done'; readonly requestId: string }
  /** The cloud knows no such group: gone. */
  | { readonly kind: 'not-found' }
  /** Wait and repeat: the group's state does not allow it now. */
  | { readonly kind: 'conflict'; readonly code: string }
  | { readonly kind: 'throttled' }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown'; readonly reason: string };

/** One account in one region. Never retries: callers count attempts. Both timeouts are set (15 s). No answer holds a URL or a secret. */
export abstract class EciClient extends EciReads {
  /** Pure: same inputs, same bytes. */
  abstract freeze(spec: ContainerGroupSpec, placement: Placement, identity: GroupIdentity): FrozenCreate;
  abstract create(frozen: FrozenCreate): Promise<CreateAnswer>;
  abstract delete(containerGroupId: string, options?: { readonly force?: boolean }): Promise<DeleteAnswer>;
}

/** Makes clients for accounts; keeps one for each (account, region). */
export abstract class EciClients {
  /** Rejects with CloudAccountUnusable; with anything else for a trouble of ours. */
  abstract for(accountId: string, region: string): Promise<EciClient>;
}
