/**
 * What operators did to one cloud account. A stream holds the events of one (`account:<id>`). Its row in the database is what everybody goes by; the
 * stream tells who changed it and why. There is no secret in it: of credentials the name, and of where one is said to be a digest.
 */
import type { JsonObject } from '../container-group/events.ts';
import type { UnknownEvent } from '../unknown-event.ts';

/** An account as its row has it. */
export interface AccountFacts {
  readonly name: string;
  /** Name of a credential of the configuration. */
  readonly credential?: string;
  /** SHA-256 (hex) of what the row says of its key, where that is no name. */
  readonly credentialDigest?: string;
  /** Empty: every region. */
  readonly regions: readonly string[];
  /** Absent: each region's own. */
  readonly endpoint?: string;
  readonly quotas: JsonObject;
  readonly source: 'configuration' | 'api';
}

export interface AccountEventData {
  AccountAdded: AccountFacts & { readonly reason?: string };
  AccountChanged: AccountFacts & { readonly reason?: string };
  /** It was there before there were streams of accounts. */
  AccountImported: AccountFacts;
  /** It was found otherwise than its stream tells: a release without such streams changed it. */
  AccountChangedElsewhere: AccountFacts;
}

export type AccountEventType = keyof AccountEventData;

/** `at` = when it was decided, ISO 8601 UTC with milliseconds. */
export type AccountEvent = {
  [T in AccountEventType]: { readonly type: T; readonly at: string; readonly data: AccountEventData[T] };
}[AccountEventType];

/** What a stream may hold. */
export type StoredAccountEvent = AccountEvent | UnknownEvent;
