import { createHash } from 'node:crypto';
import {
  accountDecider,
  accountStreamId,
  canonical,
  type AccountCommand,
  type AccountEvent,
  type AccountFacts,
  type AccountState,
} from '#libs/domain';
import { accountEvent } from '../streams/stored-events.ts';
import { withoutWork } from '../streams/stream-kind.ts';
import { ToldChanges, type ToldTable } from '../streams/told-changes.ts';
import type { AccountRow } from './account-row.ts';
import { EndpointText } from './account-settings.ts';
import { CredentialName } from './credential-sources.ts';

const accounts: ToldTable<AccountRow, AccountState, AccountCommand, AccountEvent> = {
  kind: withoutWork(accountDecider, accountEvent),
  table: 'fleet.account',
  streamIdOf: accountStreamId,
  observe: (row) => ({ type: 'Observe', facts: accountFacts(row) }),
};

/** Changes of `fleet.account` that are told in the account's stream. */
export class AccountChanges extends ToldChanges<AccountRow, AccountState, AccountCommand, AccountEvent> {
  constructor(parts: ConstructorParameters<typeof ToldChanges>[1]) {
    super(accounts, parts);
  }
}

/** What is told of an account: nothing that a row of before could hold and that should not be seen for ever. */
export function accountFacts(row: AccountRow): AccountFacts {
  const { endpoint } = row;
  const name = CredentialName.safeParse(row.credential);
  return {
    name: row.name,
    ...(name.success ? { credential: name.data } : { credentialDigest: digestOf(row.credential) }),
    regions: row.regions,
    ...(endpoint !== null && {
      endpoint: EndpointText.safeParse(endpoint).success ? endpoint : `sha256:${digestOf(endpoint)}`,
    }),
    quotas: row.quotas as AccountFacts['quotas'],
    source: row.source,
  };
}

const digestOf = (value: unknown): string => createHash('sha256').update(canonical(value)).digest('hex');
