import { flag, list, section, type Given, type Values, type Variables } from '#libs/configuration';
import type { KafkaSecurity } from '#libs/messaging';
import { caFault, type TlsFiles } from '#libs/transport';
import { z } from 'zod';
import { checkKey } from '../config/certificate.ts';

/** What goes before the control plane's word on Kafka. */
interface AgentKafka {
  /** Empty: those of the session. */
  readonly brokers: readonly string[];
  /** Absent: as the session says. */
  readonly security?: KafkaSecurity | undefined;
  /** For brokers that speak TLS. */
  readonly files: TlsFiles;
  /** Brokers on other machines may be called in clear, or without saying who calls. */
  readonly insecure: boolean;
}

const variables = {
  KAFKA_BROKERS: {
    meaning: 'brokers as host:port, comma separated; empty: those the control plane names',
    schema: list(z.array(z.string().regex(/^.+:\d+$/, 'each must be host:port'))),
  },
  KAFKA_CA_FILE: {
    meaning: 'PEM file with the CA of the brokers, where they speak TLS; empty: the system’s',
    file: caFault,
  },
  KAFKA_SECURITY: {
    meaning:
      'how Kafka learns who calls: scram-sha-512, scram-sha-256 or mtls, as principal <fleet>.<cluster>; empty: as the control plane says',
    schema: z.enum(['scram-sha-512', 'scram-sha-256', 'mtls']),
  },
  KAFKA_USERNAME: { meaning: 'user of Kafka, with SCRAM' },
  KAFKA_PASSWORD_FILE: { meaning: 'file with the password of that user', file: true },
  KAFKA_CERT_FILE: { meaning: 'PEM certificate that brokers are shown, with mtls', file: true },
  KAFKA_KEY_FILE: { meaning: 'PEM key of that certificate', file: true },
  KAFKA_INSECURE: {
    meaning: 'brokers on other machines may be called without TLS or without saying who calls: true or false',
    default: 'false',
    schema: flag,
  },
} as const satisfies Variables;

export const kafka = section({
  variables,
  rules: (given) => {
    given.together('KAFKA_CERT_FILE', 'KAFKA_KEY_FILE');
    checkKey(given, 'KAFKA_CERT_FILE', 'KAFKA_KEY_FILE');
  },
  settings: (v, given): { readonly kafka: AgentKafka } => ({
    kafka: {
      brokers: v.KAFKA_BROKERS ?? [],
      security: securityOf(v, given),
      files: { caFile: v.KAFKA_CA_FILE, certFile: v.KAFKA_CERT_FILE, keyFile: v.KAFKA_KEY_FILE },
      insecure: v.KAFKA_INSECURE,
    },
  }),
});

function securityOf(v: Values<typeof variables>, given: Given): KafkaSecurity | undefined {
  const kind = v.KAFKA_SECURITY;
  if (kind === undefined) return undefined;
  const needs = kind === 'mtls' ? ['KAFKA_CERT_FILE'] : ['KAFKA_USERNAME', 'KAFKA_PASSWORD_FILE'];
  const lacks = needs.filter((name) => !given.has(name));
  if (lacks.length > 0) given.fault(lacks.join(', '), 'KAFKA_SECURITY needs it');
  if (kind === 'mtls') return { kind };
  return { kind, username: v.KAFKA_USERNAME ?? '', password: given.textOf('KAFKA_PASSWORD_FILE') ?? '' };
}
