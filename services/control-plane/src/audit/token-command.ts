import { topics } from '#libs/contracts';
import { silentLogger } from '#libs/observability';
import { notGiven, SystemClock, SystemRandom, WrongUsage } from '#libs/runtime';
import { argumentsOf } from '../command-line/arguments.ts';
import type { FleetCommand } from '../command-line/command.ts';
import { kafkaMessaging } from '../kafka.ts';
import { AccessTokens } from '../sessions/access-tokens.ts';
import { auditorPrincipal } from '../clusters/principal.ts';
import { readAuditorAccessConfig } from './audit-config.ts';
import { auditGroup } from './verify/read-feed.ts';

const HOUR_MS = 3_600_000;
const DEFAULT_HOURS = 8;
const MOST_HOURS = 168;

const HELP = `Lets auditors read the feed on Kafka, and prints the token with which they do, for FLEET_AUDITOR_TOKEN of \`audit verify --feed\`.

  npm run --silent fleet -- audit token [--hours N] > auditor-token
  npm run --silent fleet -- audit token --revoke

  --hours N   how long the token is good, 1 to ${MOST_HOURS} hours; default ${DEFAULT_HOURS}
  --revoke    takes the right to read the feed away from every auditor, whatever token they have, and prints none

The token is of principal <fleet>.auditor, which may read the topic of events and nothing else: it writes nothing, and no door of the control plane
opens for it. Reads KAFKA_BROKERS and the other variables of Kafka, FLEET_NAME and FLEET_TOKEN_KEY (or FLEET_TOKEN_KEY_FILE), as the control
plane does. Auditors need none of them but KAFKA_BROKERS, KAFKA_SECURITY, KAFKA_TLS and FLEET_NAME.

Exit codes: 0 printed, 1 Kafka does not answer or refuses, 2 wrong usage or configuration.`;

/** `fleet audit token` */
export const auditTokenCommand: FleetCommand = {
  name: 'audit token',
  summary: 'lets auditors read the feed on Kafka, and prints their token',
  help: HELP,
  async run(args, { environment, print, complain }) {
    const options = argumentsOf(args, { hours: { type: 'string' }, revoke: { type: 'boolean' } });
    if (options.words.length > 0) throw new WrongUsage(`${options.words.join(' ')} is not understood`);
    const hours = hoursOf(options.text('hours'));
    const config = readAuditorAccessConfig(environment);
    const { fleet, tokenKey, tokenIssuer: issuer, tokenAudience: audience } = config;
    const clock = new SystemClock();
    const tokens = await AccessTokens.open({ tokenKey, fleet, issuer, audience, clock });
    const messaging = kafkaMessaging(config, () => tokens.tokenOfControlPlane(), {
      clock,
      random: new SystemRandom(),
      logger: silentLogger,
    });
    const principal = auditorPrincipal(fleet);
    try {
      if (options.has('revoke')) {
        await messaging.revokeCluster(principal);
        complain(`${principal} may read nothing any more`);
        return 0;
      }
      await messaging.grantCluster(principal, { write: [], read: [topics(fleet).events], group: auditGroup(fleet) });
    } finally {
      await messaging.close();
    }
    const { token, expiresAt } = await tokens.issueForAuditor(hours * HOUR_MS);
    complain(`good until ${expiresAt}`);
    print(token);
    return 0;
  },
};

function hoursOf(text: string | undefined): number {
  const hours = Number(text ?? DEFAULT_HOURS);
  if (!Number.isInteger(hours) || hours < 1 || hours > MOST_HOURS)
    throw new WrongUsage(`--hours takes a whole number from 1 to ${MOST_HOURS}${notGiven(text ?? '')}`);
  return hours;
}
