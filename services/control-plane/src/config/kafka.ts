import { flag, list, section, type Given, type Values, type Variables } from '#libs/configuration';
import { brokersLink } from '#libs/messaging';
import { caFault, insecureTransports, type InsecureTransport, type RuledLink, type TlsFiles } from '#libs/transport';
import { z } from 'zod';
import { intake } from '../intake/variables.ts';
import { checkCertificate } from './certificate.ts';

/** How this process and brokers know each other; what agents can be told of it is less. */
type BrokerSecurity = 'plaintext' | 'oauthbearer' | 'scram-sha-512' | 'scram-sha-256' | 'mtls';
type AgentSecurity = 'plaintext' | 'oauthbearer';

export interface KafkaSettings {
  readonly brokers: readonly string[];
  /** Brokers as agents reach them; the same when nothing else is said. */
  readonly brokersForAgents: readonly string[];
  readonly security: BrokerSecurity;
  /** How agents show who they are. */
  readonly securityForAgents: AgentSecurity;
  /** Absent: none. */
  readonly tls?: TlsFiles;
  readonly tlsForAgents: boolean;
  /** With SCRAM. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Other machines may be called in clear, or without saying who calls. */
  readonly insecure: boolean;
  readonly intentPartitions: number;
  /** What Kafka lets one agent write at each broker, bytes a second; 0: no bound. */
  readonly produceBytesForAgents: number;
}

interface BrokerSettings {
  readonly kafka: KafkaSettings;
  readonly insecureTransports: readonly InsecureTransport[];
}

const brokers = list(
  z
    .array(z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:,]+):\d{1,5}$/, 'write each broker as host:port'))
    .min(1, 'name at least one broker as host:port'),
);

const variables = {
  KAFKA_BROKERS: { meaning: 'brokers, as host:port,host:port; required', schema: brokers },
  KAFKA_BROKERS_FOR_AGENTS: {
    meaning: 'brokers as agents reach them',
    otherwise: 'KAFKA_BROKERS',
    schema: brokers,
  },
  KAFKA_SECURITY: {
    meaning: 'how Kafka learns who calls: plaintext (not at all), oauthbearer, scram-sha-512, scram-sha-256 or mtls',
    default: 'plaintext',
    schema: z.enum(['plaintext', 'oauthbearer', 'scram-sha-512', 'scram-sha-256', 'mtls']),
  },
  KAFKA_SECURITY_FOR_AGENTS: {
    meaning: 'how Kafka learns which agent calls: plaintext (not at all) or oauthbearer',
    otherwise: 'plaintext with KAFKA_SECURITY=plaintext, else oauthbearer',
    schema: z.enum(['plaintext', 'oauthbearer']),
  },
  KAFKA_TLS: {
    meaning: 'speak TLS to Kafka, whose certificates are verified: true or false',
    default: 'false',
    schema: flag,
  },
  KAFKA_TLS_FOR_AGENTS: {
    meaning: 'agents speak TLS to Kafka: true or false',
    otherwise: 'KAFKA_TLS',
    schema: flag,
  },
  KAFKA_CA_FILE: { meaning: 'PEM file with the CA of the brokers', otherwise: "the system's", file: caFault },
  KAFKA_CERT_FILE: {
    meaning: 'PEM file with the certificate that brokers are shown; needed with KAFKA_SECURITY=mtls',
    otherwise: 'none',
    file: true,
  },
  KAFKA_KEY_FILE: { meaning: 'PEM file with the key of that certificate', file: true },
  KAFKA_USERNAME: { meaning: 'user of Kafka, with SCRAM' },
  KAFKA_PASSWORD: { secret: true, meaning: 'password of that user', orFile: 'file with that password' },
  KAFKA_INSECURE: {
    meaning: 'brokers on other machines may be called without TLS or without saying who calls: true or false',
    default: 'false',
    schema: flag,
  },
  KAFKA_INTENT_PARTITIONS: {
    meaning: 'partitions of a newly made intents topic, 1–1000',
    default: '12',
    unit: 'partitions',
    schema: z.coerce.number().int().min(1).max(1000),
  },
  KAFKA_PRODUCE_BYTES_FOR_AGENTS: {
    meaning:
      'what Kafka lets the agent of one cluster write at each broker, as a quota of its principal; 0 = no quota; needs oauthbearer for agents',
    otherwise: 'FLEET_CLUSTER_BYTES',
    unit: 'bytes a second',
    schema: z.coerce
      .number()
      .int()
      .min(0)
      .max(Number.MAX_SAFE_INTEGER)
      .refine((bytes) => bytes === 0 || bytes >= 65_536, 'use 65536 or more, or 0 for no quota'),
  },
} as const satisfies Variables;

type KafkaValues = Values<typeof variables>;

export const kafka = section({
  variables,
  rules: (given) => checkCertificate(given, 'KAFKA_CERT_FILE', 'KAFKA_KEY_FILE'),
  settings: (v, given): BrokerSettings => {
    const { FLEET_CLUSTER_BYTES } = intake.variables;
    const budget = given.of({ FLEET_CLUSTER_BYTES });
    checkLogin(v, given);
    const settings = settingsOf(v, budget?.FLEET_CLUSTER_BYTES ?? 0);
    const links = linksOf(v, settings);
    return {
      kafka: settings,
      insecureTransports: insecureTransports(links, given.environment, given.faults),
    };
  },
});

/** Where it is this process that speaks to Kafka, and nobody speaks for it. */
export function requireBrokers(given: Given): void {
  if (!given.has('KAFKA_BROKERS')) given.fault('KAFKA_BROKERS', `is missing (${variables.KAFKA_BROKERS.meaning})`);
}

const isScram = ({ KAFKA_SECURITY: security }: KafkaValues): boolean =>
  security === 'scram-sha-512' || security === 'scram-sha-256';

function checkLogin(v: KafkaValues, given: Given): void {
  if (v.KAFKA_SECURITY === 'mtls' && (!v.KAFKA_TLS || v.KAFKA_CERT_FILE === undefined))
    given.fault('KAFKA_SECURITY', 'mtls needs KAFKA_TLS=true, KAFKA_CERT_FILE and KAFKA_KEY_FILE');
  if (isScram(v) && (v.KAFKA_USERNAME === undefined || v.KAFKA_PASSWORD === undefined))
    given.fault(
      'KAFKA_SECURITY',
      `${v.KAFKA_SECURITY} needs KAFKA_USERNAME and KAFKA_PASSWORD (or KAFKA_PASSWORD_FILE)`,
    );
}

function settingsOf(v: KafkaValues, clusterBytes: number): KafkaSettings {
  const security = v.KAFKA_SECURITY;
  return {
    brokers: v.KAFKA_BROKERS ?? [],
    brokersForAgents: v.KAFKA_BROKERS_FOR_AGENTS ?? v.KAFKA_BROKERS ?? [],
    security,
    // The control plane's own name and certificate are not for agents, tokens are.
    securityForAgents: v.KAFKA_SECURITY_FOR_AGENTS ?? (security === 'plaintext' ? 'plaintext' : 'oauthbearer'),
    ...(v.KAFKA_TLS && {
      tls: {
        ...(v.KAFKA_CA_FILE && { caFile: v.KAFKA_CA_FILE }),
        ...(v.KAFKA_CERT_FILE && { certFile: v.KAFKA_CERT_FILE }),
        ...(v.KAFKA_KEY_FILE && { keyFile: v.KAFKA_KEY_FILE }),
      },
    }),
    tlsForAgents: v.KAFKA_TLS_FOR_AGENTS ?? v.KAFKA_TLS,
    ...(isScram(v) &&
      v.KAFKA_USERNAME &&
      v.KAFKA_PASSWORD && { login: { username: v.KAFKA_USERNAME, password: v.KAFKA_PASSWORD } }),
    insecure: v.KAFKA_INSECURE,
    intentPartitions: v.KAFKA_INTENT_PARTITIONS,
    produceBytesForAgents: v.KAFKA_PRODUCE_BYTES_FOR_AGENTS ?? clusterBytes,
  };
}

/** The ways to the brokers, ours and the one that agents are told. */
function linksOf(v: KafkaValues, settings: KafkaSettings): readonly RuledLink[] {
  const { brokers, security, brokersForAgents, securityForAgents, tlsForAgents } = settings;
  const tls = v.KAFKA_TLS;
  const own = brokersLink('KAFKA_BROKERS', { brokers, security, tls });
  // Where they are the same, agents are told of as strong a way, or the second fault would only repeat the first.
  const differs =
    v.KAFKA_BROKERS_FOR_AGENTS !== undefined ||
    tls !== tlsForAgents ||
    (security !== 'plaintext' && securityForAgents === 'plaintext');
  if (!differs) return [own];
  return [
    own,
    {
      ...brokersLink('KAFKA_BROKERS_FOR_AGENTS', {
        brokers: brokersForAgents,
        security: securityForAgents,
        tls: tlsForAgents,
      }),
      remedy: 'set KAFKA_TLS_FOR_AGENTS=true and KAFKA_SECURITY_FOR_AGENTS=oauthbearer',
    },
  ];
}
