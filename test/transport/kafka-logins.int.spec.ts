import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KafkaMessaging, type Messaging } from '#libs/messaging';
import { silentLogger } from '#libs/observability';
import { SystemClock, SystemRandom } from '#libs/runtime';
import { eventually, newTls, startKafka, temporaryFolder, topicPrefix, type KafkaRig } from '#libs/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadAgentConfig } from '../../services/agent/src/config.ts';
import { kafkaConnectionOf } from '../../services/agent/src/publish/connect-messaging.ts';
import { readConfig } from '../../services/control-plane/src/config.ts';
import { kafkaMessaging } from '../../services/control-plane/src/kafka.ts';

type Environment = Readonly<Record<string, string>>;

const AGENT = 'fleet.shop';
const PASSWORDS = { 'fleet-control-plane': 'canary-of-the-control-plane', [AGENT]: 'canary-of-the-agent' };
const folder = temporaryFolder('kafka-logins').path;
const passwordFile = join(folder, 'password');

let rig: KafkaRig;
let secure: NonNullable<KafkaRig['secure']>;
const open: Messaging[] = [];

beforeAll(async () => {
  rig = await startKafka({
    secure: { users: PASSWORDS, superUsers: ['fleet-control-plane', 'CN=fleet-control-plane'] },
  });
  secure = rig.secure!;
  await writeFile(passwordFile, PASSWORDS[AGENT]!);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});
afterAll(() => rig?.stop());

const tracked = <T extends Messaging>(messaging: T): T => {
  open.push(messaging);
  return messaging;
};

/** The control plane's messaging by its variables, as an operator sets them. */
function controlPlane(environment: Environment): Messaging {
  const config = readConfig({
    DATABASE_URL: 'postgres://localhost/db',
    FLEET_MASTER_KEY: randomBytes(32).toString('base64'),
    FLEET_TOKEN_KEY: JSON.stringify(
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
    ),
    KAFKA_TLS: 'true',
    KAFKA_CA_FILE: secure.caFile,
    ...environment,
  });
  const parts = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger };
  return tracked(kafkaMessaging(config, () => Promise.reject(new Error('no tokens here')), parts));
}

const scram = (mechanism = 'scram-sha-512', more: Environment = {}): Environment => ({
  KAFKA_BROKERS: secure.scram.join(','),
  KAFKA_SECURITY: mechanism,
  KAFKA_USERNAME: 'fleet-control-plane',
  KAFKA_PASSWORD: PASSWORDS['fleet-control-plane'],
  ...more,
});
const mtls = async (commonName: string): Promise<Environment> => {
  const { certFile, keyFile } = await secure.issue(commonName);
  return {
    KAFKA_BROKERS: secure.mtls.join(','),
    KAFKA_SECURITY: 'mtls',
    KAFKA_CERT_FILE: certFile,
    KAFKA_KEY_FILE: keyFile,
  };
};

/** An agent's messaging, where the session says what it says to agents with tokens. */
function agent(environment: Environment, brokers: readonly string[]): Messaging {
  const config = loadAgentConfig({
    CONTROL_PLANE_URL: 'https://fleet.example',
    ECI_REGION: 'cn-hangzhou',
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    KAFKA_CA_FILE: secure.caFile,
    ...environment,
  });
  const session = { accessToken: () => ({ value: 'no-token-here', expiresAt: 0 }) };
  const told = { clusterId: 'shop', kafka: { brokers: [...brokers], security: 'oauthbearer' as const, tls: true } };
  return tracked(new KafkaMessaging(kafkaConnectionOf(config, told, session)));
}

/** Everything that a control plane does at Kafka: makes a topic, writes, reads, gives and takes rights. */
async function works(messaging: Messaging): Promise<void> {
  const prefix = topicPrefix();
  const topic = `${prefix}intents`;
  await messaging.ensureTopics([{ name: topic, partitions: 1, retentionMs: 60_000 }]);
  const read: string[] = [];
  await messaging.consume({
    topics: [topic],
    group: `${prefix}group`,
    handle: ({ messages }) => {
      read.push(...messages.map(({ value }) => String(value && Buffer.from(value))));
      return Promise.resolve();
    },
  });
  await messaging.publish(topic, [{ key: 'k', value: Buffer.from('hello') }]);
  await eventually(() => read.includes('hello'), { what: 'the message is read', deadlineMs: 30_000 });
  await messaging.grantCluster(AGENT, { write: [topic], read: [], group: `${prefix}agent` });
  await messaging.revokeCluster(AGENT);
}

describe('the control plane at a Kafka with TLS', () => {
  it.each(['scram-sha-512', 'scram-sha-256'])('does its work as a user with a password: %s', async (mechanism) => {
    await works(controlPlane(scram(mechanism)));
  });

  it('does its work as whom its certificate names', async () => {
    await works(controlPlane(await mtls('fleet-control-plane')));
  });

  it('is refused with a wrong password, in words that do not repeat it', async () => {
    const messaging = controlPlane(scram('scram-sha-512', { KAFKA_PASSWORD: 'canary-wrong' }));
    const error = await messaging.ensureTopics([]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'refused' });
    expect(String(error)).toContain('user or password');
    expect(String(error)).not.toContain('canary');
  });

  it('may do what its certificate may: another name may nothing', async () => {
    const messaging = controlPlane(await mtls('stranger'));
    await expect(
      messaging.ensureTopics([{ name: `${topicPrefix()}x`, partitions: 1, retentionMs: 60_000 }]),
    ).rejects.toMatchObject({ code: 'refused' });
  });

  it('believes no broker but one of its CA', async () => {
    const messaging = controlPlane(scram('scram-sha-512', { KAFKA_CA_FILE: (await newTls()).caFile }));
    const sent = messaging.publish(topicPrefix(), [{ key: 'k', value: Buffer.from('x') }], 2_000);
    await expect(sent).rejects.toMatchObject({ code: 'unavailable' });
    expect(messaging.trouble()).toContain('certificate');
  });
});

describe('an agent with a login of its own', () => {
  it('has the rights that joining gave to its principal, and says so to brokers with a password', async () => {
    const plane = controlPlane(scram());
    const prefix = topicPrefix();
    const [mine, other] = [`${prefix}mine`, `${prefix}other`];
    await plane.ensureTopics([mine, other].map((name) => ({ name, partitions: 1, retentionMs: 60_000 })));
    await plane.grantCluster(AGENT, { write: [mine], read: [], group: `${prefix}agent` });

    const messaging = agent(
      { KAFKA_SECURITY: 'scram-sha-512', KAFKA_USERNAME: AGENT, KAFKA_PASSWORD_FILE: passwordFile },
      secure.scram,
    );
    await messaging.publish(mine, [{ key: 'k', value: Buffer.from('x') }]);
    await expect(messaging.publish(other, [{ key: 'k', value: Buffer.from('x') }], 2_000)).rejects.toMatchObject({
      code: 'refused',
    });
  });
});
