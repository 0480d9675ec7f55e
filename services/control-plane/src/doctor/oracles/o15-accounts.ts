import type { AccountFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

const PUT = (id: string): string => `PUT /api/v1/accounts/${id}/credential`;

/** O15: accounts name credentials and endpoints that operators have configured, and their keys can be read here. */
export function accountsAreSetUp(accounts: readonly AccountFacts[]): readonly Finding[] {
  return accounts.flatMap(({ accountId, faults, oldReference, endpoint, keyTrouble }): Finding[] => {
    const where = { place: accountId };
    const findings = faults.map((fault): Finding => {
      switch (fault) {
        case 'old-reference':
          return {
            oracle: 'O15',
            kind: fault,
            what: `cloud account ${accountId} says itself where its key is, as accounts did until 0.2.0; it goes on working with it`,
            where,
            next: `give ${JSON.stringify(oldReference)} a name in FLEET_CREDENTIALS, and send that name with ${PUT(accountId)}`,
          };
        case 'no-reference':
          return {
            oracle: 'O15',
            kind: fault,
            what: `cloud account ${accountId} names no credential, so none of its groups is created, observed or deleted`,
            where,
            next: `send the name of a credential with ${PUT(accountId)}`,
          };
        case 'endpoint-not-allowed':
          return {
            oracle: 'O15',
            kind: fault,
            what: `cloud account ${accountId} is not called, because its endpoint ${hostOf(endpoint)} is not the cloud's own: none of its groups is created, observed or deleted`,
            where,
            next: `list the endpoint in FLEET_ACCOUNT_ENDPOINTS of every replica if keys may be sent there, else send a credential without it with ${PUT(accountId)}`,
          };
      }
    });
    if (keyTrouble !== undefined)
      findings.push({
        oracle: 'O15',
        kind: 'no-key',
        what: `the key of cloud account ${accountId} cannot be read here: ${keyTrouble}`,
        where,
        next: 'mount it or correct FLEET_CREDENTIALS in every replica; run the doctor with the variables and files of a replica',
      });
    return findings;
  });
}

/** As far as it can be told without what may be a password in it. */
function hostOf(endpoint: string | undefined): string {
  const text = endpoint ?? '';
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `https://${text}`;
  return URL.canParse(whole) ? new URL(whole).host : '(unreadable)';
}
