import { NO_CONSEQUENCES, type Decider, type Decision } from '../decider.ts';
import { same } from '../same.ts';
import type { AccountEvent, AccountEventData, AccountEventType, AccountFacts, StoredAccountEvent } from './events.ts';

/** What the stream of an account tells of it by now. */
export interface AccountState {
  readonly version: number;
  /** Absent: nothing was told of it yet. */
  readonly facts?: AccountFacts;
}

export type AccountCommand =
  /** The row as it is before anything else is done to it: what the stream does not tell yet is told first. */
  | { readonly type: 'Observe'; readonly facts: AccountFacts }
  /** `facts`: as it is from now on. */
  | { readonly type: 'Add' | 'Change'; readonly facts: AccountFacts; readonly reason?: string };

/** An account is the sum of its facts, and every event tells all of them. The same command twice changes nothing the second time. */
export const accountDecider: Decider<AccountState, AccountCommand, AccountEvent, never> = {
  initial: { version: 0 },
  decide: decideAccount,
  evolve: evolveAccount,
  consequencesOf: () => NO_CONSEQUENCES,
  // It is decided on the row.
  isUndecidable: () => false,
};

export const accountStreamId = (accountId: string): string => `account:${accountId}`;

function decideAccount(command: AccountCommand, { facts: told }: AccountState, at: string): Decision<AccountEvent> {
  const { type, facts } = command;
  if (type === 'Add' && told) return { accepted: false, code: 'Added', message: 'it was added before' };
  if (type === 'Change' && !told)
    return { accepted: false, code: 'NoSuchAccount', message: 'no such account was added' };
  if (told && same(facts, told)) return { accepted: true, events: [] };
  const data: AccountEventData['AccountChanged'] =
    command.type === 'Observe' || command.reason === undefined ? facts : { ...facts, reason: command.reason };
  return { accepted: true, events: [{ type: typeOf(type, told), at, data }] };
}

function typeOf(command: AccountCommand['type'], told: AccountFacts | undefined): AccountEventType {
  if (command === 'Observe') return told ? 'AccountChangedElsewhere' : 'AccountImported';
  return command === 'Add' ? 'AccountAdded' : 'AccountChanged';
}

/** Total: what a newer release wrote is passed over, for the next look at the row shows what came of it. */
function evolveAccount(state: AccountState, event: StoredAccountEvent): AccountState {
  const version = state.version + 1;
  switch (event.type) {
    case 'AccountAdded':
    case 'AccountChanged': {
      const { reason: _, ...facts } = event.data;
      return { version, facts };
    }
    case 'AccountImported':
    case 'AccountChangedElsewhere':
      return { version, facts: event.data };
    case 'Unknown':
      return { ...state, version };
  }
}
