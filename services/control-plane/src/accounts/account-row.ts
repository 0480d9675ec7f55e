import { CredentialName, OldReference, type CredentialReference } from './credential-sources.ts';
import type { Quotas } from './account-settings.ts';

/** An account as PostgreSQL holds it. */
export interface AccountRow {
  readonly id: string;
  readonly name: string;
  /** The name of a credential; in rows of before there were names, where the key is. */
  readonly credential: unknown;
  readonly regions: readonly string[];
  readonly endpoint: string | null;
  readonly quotas: Quotas;
  readonly source: 'configuration' | 'api';
  readonly auth_state: 'untried' | 'accepted' | 'refused';
  readonly auth_message: string | null;
  readonly auth_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Undefined for what is neither. */
export function referenceOf({ credential }: Pick<AccountRow, 'credential'>): CredentialReference | undefined {
  const name = CredentialName.safeParse(credential);
  return name.success ? name.data : OldReference.safeParse(credential).data;
}

/** In what an account differs from what is accepted today. */
export type AccountFault = 'old-reference' | 'no-reference' | 'endpoint-not-allowed';

/** What is to be done, for whoever may see accounts: no word of files, variables or what other hosts say. */
export const WHAT_TO_CHANGE: Readonly<Record<AccountFault, string>> = {
  'old-reference':
    'it says itself where its key is, as accounts did until 0.2.0; it keeps working, but names a credential of the configuration from its next change on',
  'no-reference': 'it names no credential, so it is not used',
  'endpoint-not-allowed':
    "its endpoint is neither the cloud's own nor listed by operators, so it is not called and its key not sent there",
};
