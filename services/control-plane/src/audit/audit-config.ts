/** Configuration of the commands of `audit`: what they need of the control plane's variables, and nothing else of them. */
import { Given, type Environment } from '#libs/configuration';
import { databaseSettings } from '#libs/event-store';
import { fleet } from '../config/fleet.ts';
import { kafka, requireBrokers, type KafkaSettings } from '../config/kafka.ts';
import { tokenKeyVariables, tokenNames, type TokenKey, type TokenNames } from '../sessions/variables.ts';
import type { AuditKey } from './audit-key.ts';
import { auditKeyVariables, auditorVariables } from './variables.ts';

interface FeedConfig extends TokenNames {
  readonly fleet: string;
  readonly kafka: KafkaSettings;
}

/** What a command needs that checks the audit trail: no master key, no accounts. Brokers may be absent; tokens are needed with `oauthbearer` only. */
export interface AuditConfig extends FeedConfig {
  readonly databaseUrl: string;
  readonly auditKey?: AuditKey;
  /** Of an operator who verifies from within the control plane. */
  readonly tokenKey?: TokenKey;
  /** Of an auditor: it reads the feed and nothing else. */
  readonly auditorToken?: string;
}

/** What a command needs that lets auditors read the feed. */
interface AuditorAccessConfig extends FeedConfig {
  readonly tokenKey: TokenKey;
}

/** Throws {@link ConfigurationError} with every fault. */
export function readAuditConfig(environment: Environment): AuditConfig {
  const given = new Given(environment);
  const database = databaseSettings(given);
  const feed = readFeedConfig(given);
  const audit = given.of({ ...auditKeyVariables, ...auditorVariables });
  const byToken = feed?.kafka.security === 'oauthbearer' && given.has('FLEET_TOKEN_KEY');
  const tokenKey = byToken ? given.of(tokenKeyVariables)?.FLEET_TOKEN_KEY : undefined;
  if (!database || !feed || !audit) return given.end<AuditConfig>(undefined);
  return given.end({
    databaseUrl: database.databaseUrl,
    ...feed,
    ...(audit.FLEET_AUDIT_KEY && { auditKey: audit.FLEET_AUDIT_KEY }),
    ...(tokenKey && { tokenKey }),
    ...(audit.FLEET_AUDITOR_TOKEN && { auditorToken: audit.FLEET_AUDITOR_TOKEN }),
  });
}

/** Throws {@link ConfigurationError} with every fault. */
export function readAuditorAccessConfig(environment: Environment): AuditorAccessConfig {
  const given = new Given(environment);
  const feed = readFeedConfig(given);
  requireBrokers(given);
  const key = given.of(tokenKeyVariables);
  return given.end(feed && key && { ...feed, tokenKey: key.FLEET_TOKEN_KEY });
}

function readFeedConfig(given: Given): FeedConfig | undefined {
  const { FLEET_NAME } = fleet.variables;
  const name = given.of({ FLEET_NAME });
  const names = tokenNames(given);
  const settings = kafka.read(given);
  return name && names && settings && { fleet: name.FLEET_NAME, ...names, kafka: settings.kafka };
}
