import { describe, expect, it } from 'vitest';
import { loadAgentConfig } from '../config.ts';
import { insecureKafka, kafkaConnectionOf } from './connect-messaging.ts';

const configOf = (more: Record<string, string> = {}) =>
  loadAgentConfig({
    CONTROL_PLANE_URL: 'https://fleet.example',
    ECI_REGION: 'cn-hangzhou',
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    ...more,
  });
const told = (security: 'plaintext' | 'oauthbearer', tls: boolean, host = 'kafka.example') => ({
  clusterId: 'c',
  kafka: { brokers: [`${host}:9092`], security, tls },
});
const session = { accessToken: () => ({ value: 't', expiresAt: 0 }) };

describe('Kafka, as the control plane tells of it', () => {
  it.each([
    ['plaintext', false],
    ['plaintext', true],
    ['oauthbearer', false],
  ] as const)(
    'is not used elsewhere with %s, TLS %s, unless this cluster allows it too, which is told',
    (security, tls) => {
      const [config, open] = [configOf(), configOf({ KAFKA_INSECURE: 'true' })];
      expect(kafkaConnectionOf(config, told(security, tls), session).insecure).toBe(false);
      expect(insecureKafka(config, told(security, tls))).toEqual([]);
      expect(kafkaConnectionOf(open, told(security, tls), session).insecure).toBe(true);
      expect(insecureKafka(open, told(security, tls))).toMatchObject([
        { setting: 'KAFKA_BROKERS', host: 'kafka.example', allowedBy: 'KAFKA_INSECURE' },
      ]);
    },
  );

  it('is nothing to tell of on this machine, or when it is sound', () => {
    const open = configOf({ KAFKA_INSECURE: 'true' });
    expect(insecureKafka(open, told('plaintext', false, '127.0.0.1'))).toEqual([]);
    expect(insecureKafka(open, told('oauthbearer', true))).toEqual([]);
  });

  it('is spoken to with the brokers and the login of this cluster before those', () => {
    const config = configOf({ KAFKA_BROKERS: 'near.example:9093', KAFKA_CA_FILE: '' });
    expect(kafkaConnectionOf(config, told('oauthbearer', true), session)).toMatchObject({
      brokers: ['near.example:9093'],
      security: { kind: 'oauthbearer' },
      tls: {},
    });
    const login = { kind: 'scram-sha-512', username: 'fleet.c', password: 'p' } as const;
    const other = { ...config, kafka: { ...config.kafka, security: login } };
    expect(kafkaConnectionOf(other, told('oauthbearer', true), session).security).toEqual(login);
  });
});
