import { isCredentialMissing } from '#libs/eci';
import type { AccountDirectory } from '../accounts/account-directory.ts';
import { referenceOf } from '../accounts/account-row.ts';
import type { AccountFacts } from './facts.ts';

/** How every account is set up, and whether its key can be read here; a role is assumed. */
export async function accountsOf(
  accounts: Pick<AccountDirectory, 'all' | 'faultsOf' | 'find'>,
): Promise<readonly AccountFacts[]> {
  const facts: AccountFacts[] = [];
  for (const row of await accounts.all()) {
    const faults = accounts.faultsOf(row);
    const reference = referenceOf(row);
    const mayBeUsed = faults.every((fault) => fault === 'old-reference');
    const keyTrouble = mayBeUsed ? await whyNoKey(accounts, row.id) : undefined;
    facts.push({
      accountId: row.id,
      faults,
      ...(reference !== undefined && typeof reference !== 'string' && { oldReference: reference }),
      ...(row.endpoint !== null && { endpoint: row.endpoint }),
      ...(keyTrouble !== undefined && { keyTrouble }),
    });
  }
  return facts;
}

async function whyNoKey(accounts: Pick<AccountDirectory, 'find'>, accountId: string): Promise<string | undefined> {
  try {
    await (await accounts.find(accountId))?.credential();
    return undefined;
  } catch (error) {
    // A moment's trouble says nothing of the account.
    if (isCredentialMissing(error)) return error.message;
    throw error;
  }
}
