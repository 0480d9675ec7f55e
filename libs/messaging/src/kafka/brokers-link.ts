import type { RuledLink } from '#libs/transport';

/** A way to brokers, as the rule for all ways out of a process looks at it. `security` is a kind of `KafkaSecurity`. */
export function brokersLink(
  setting: string,
  { brokers, security, tls }: { readonly brokers: readonly string[]; readonly security: string; readonly tls: boolean },
): RuledLink {
  return {
    setting,
    exception: 'KAFKA_INSECURE',
    remedy:
      'set KAFKA_TLS=true and a KAFKA_SECURITY that says who calls (oauthbearer, scram-sha-512, scram-sha-256 or mtls)',
    hosts: brokers.map((broker) => broker.replace(/:\d+$/, '')),
    encrypted: tls,
    // Whoever uses TLS here verifies: there is no way to turn it off.
    serverVerified: tls,
    clientProven: security !== 'plaintext',
  };
}
