import { logLevel, type Admin, type Kafka, type KafkaConfig, type Producer } from 'kafkajs';
import { topics } from '#libs/contracts';
import { sealEnvelope } from '#libs/messaging';
import { createTokenIssuer, eventually, rawKafka } from '#libs/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { useFleet } from './support/fleet.ts';
import { exhaustCreates, restoreCreates } from './support/lanes.ts';

const fleet = useFleet();
const names = (): ReturnType<typeof topics> => topics(fleet.name);
const run = (name: string): Promise<string> =>
  fleet.pods.kubectl('run', name, '--image', 'nginx', '-l', 'alibabacloud.com/eci=true');
const open: { disconnect(): Promise<void> }[] = [];
afterAll(() => Promise.allSettled(open.map((client) => client.disconnect())));

const quiet: Pick<KafkaConfig, 'logLevel' | 'retry'> = { logLevel: logLevel.NOTHING, retry: { retries: 0 } };

/** Without anybody's rights in between. */
function superUser(): Kafka {
  return rawKafka({ ...quiet, brokers: [...fleet.kafka.brokers] });
}

async function producerOf(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer();
  open.push(producer);
  await producer.connect();
  return producer;
}

function holderOf(token: string): Kafka {
  return rawKafka({
    ...quiet,
    brokers: [...fleet.kafka.oauth!.brokers],
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider: () => Promise.resolve({ value: token }) },
  });
}

describe('messages that come in another order', () => {
  it('deletes a group whose create is still on its way, once it is there', async () => {
    // given a create that the cloud takes its time for
    await fleet.simulator.fault({
      kind: 'delay',
      action: 'CreateContainerGroup',
      when: 'before',
      delayMs: 3_000,
      count: 1,
    });
    await run('hasty');
    const { metadata } = await fleet.pods.until('hasty', 'is bound', ({ spec }) => spec.nodeName);
    await eventually(async () => (await fleet.simulator.createsOf(metadata.uid)).length === 1, {
      what: 'the create is on the wire',
    });

    // when the pod is deleted before it is answered
    await fleet.pods.kubectl('delete', 'pod', 'hasty', '--grace-period=1', '--wait=false');
    await fleet.untilHistory(metadata.uid, 'StopRequested');
    expect(await fleet.simulator.groupsOf(metadata.uid)).toEqual([]);

    // then exactly one group comes into being, is deleted, and the pod goes after it
    await fleet.pods.untilGone('hasty', { deadlineMs: 90_000 });
    expect(await fleet.simulator.groupsOf(metadata.uid)).toMatchObject([{ status: 'Gone' }]);
    expect((await fleet.simulator.createsOf(metadata.uid)).length).toBe(1);
  });

  it('never creates a group for a pod that was deleted while it waited for its turn', async () => {
    // given a fleet whose quota is used up
    await run('warm-up');
    await fleet.pods.untilPhase('warm-up', 'Running');
    await exhaustCreates(fleet.database);
    await run('withdrawn');
    const { metadata } = await fleet.pods.until('withdrawn', 'is bound', ({ spec }) => spec.nodeName);
    await fleet.untilHistory(metadata.uid, 'PodIntentAccepted');

    // when the pod is deleted
    await fleet.pods.kubectl('delete', 'pod', 'withdrawn', '--wait=true', '--timeout=30s');

    // then nothing is ever sent for it, quota or not
    await restoreCreates(fleet.database);
    await run('next');
    await fleet.pods.untilPhase('next', 'Running');
    expect(await fleet.simulator.createsOf(metadata.uid)).toEqual([]);
    expect((await fleet.untilHistory(metadata.uid, 'PodObjectGone')).map(({ type }) => type)).not.toContain(
      'PlacementChosen',
    );
  });
});

describe('messages that nobody understands', () => {
  it('go to the quarantine and the dead letters as they came, and hold nobody up', async () => {
    // given messages that are no intents, in every partition
    const producer = await producerOf(superUser());
    const key = `${fleet.clusterId}/poison`;
    const clear = {
      schemaVersion: 1 as const,
      clusterId: fleet.clusterId,
      agentEpoch: 1,
      sequence: 1,
      sentAt: new Date().toISOString(),
      body: {
        kind: 'StopPod' as const,
        uid: 'poison',
        namespace: 'default',
        name: 'poison',
        reason: 'Deleted' as const,
      },
    };
    const strangeKey = { kid: 'nobody-knows', key: crypto.getRandomValues(new Uint8Array(32)) };
    const poisons = {
      garbage: Buffer.from([0xff, 0x00, 0xfe, 0x7b]),
      json: Buffer.from('{"clear": 1}'),
      forged: Buffer.from(await sealEnvelope({ clear, sealed: {}, messageKey: key, key: strangeKey })),
    };
    for (const partition of [0, 1, 2, 3])
      await producer.send({
        topic: names().intents,
        messages: Object.values(poisons).map((value) => ({ key, value, partition })),
      });

    // when a pod is made after them
    await run('unmoved');

    // then it runs
    await fleet.pods.untilPhase('unmoved', 'Running');

    // and each message waits in the quarantine with its reason, its place and its bytes
    const items = await eventually(
      async () => {
        const found = await fleet.api.all('/quarantine?sender=unproven');
        return found.length === 12 && found;
      },
      { what: 'twelve messages are in quarantine' },
    );
    for (const item of items) {
      expect(item).toMatchObject({
        topic: names().intents,
        key,
        claimedClusterId: fleet.clusterId,
        reason: expect.stringMatching(/./),
      });
      const { original } = await fleet.api.get(`/quarantine/${item.id}`);
      expect(Object.values(poisons).map((bytes) => bytes.toString('base64'))).toContain(original);
    }
    expect(items.filter(({ reason }) => reason.includes('nobody-knows'))).toHaveLength(4);

    // and in the dead letters, with reason and origin beside its bytes
    const letters: { value: Buffer | null; headers: Record<string, string> }[] = [];
    const consumer = superUser().consumer({ groupId: `${fleet.name}.test` });
    open.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic: names().deadLetter, fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
        letters.push({ value: message.value, headers: Object.fromEntries(headers) as Record<string, string> });
        return Promise.resolve();
      },
    });
    await eventually(() => letters.length >= 12, { what: 'twelve dead letters came', deadlineMs: 30_000 });
    for (const { value, headers } of letters) {
      expect(Object.values(poisons).some((bytes) => bytes.equals(value!))).toBe(true);
      expect(Object.values(headers)).toContain(names().intents);
      expect(Object.values(headers).some((text) => items.some(({ reason }) => reason === text))).toBe(true);
    }
  });
});

describe('who may speak and listen', () => {
  async function adminOf(kafka: Kafka): Promise<Admin> {
    const admin = kafka.admin();
    open.push(admin);
    await admin.connect();
    return admin;
  }

  it('is decided by Kafka: an agent may write intents and read its own topic, others may not', async () => {
    const { tokens } = fleet.kafka.oauth!;
    const message = { topic: names().intents, messages: [{ key: `${fleet.clusterId}/x`, value: 'x' }] };
    const ownTopic = names().cluster(fleet.clusterId);

    // given the rights of this cluster's agent
    const agent = await adminOf(holderOf(await tokens.sign(`${fleet.name}.${fleet.clusterId}`)));
    await expect(agent.fetchTopicOffsets(ownTopic)).resolves.toHaveLength(1);

    // then another cluster's agent, with a good token, reads nothing of it
    const stranger = holderOf(await tokens.sign(`${fleet.name}.another`));
    await expect((await adminOf(stranger)).fetchTopicOffsets(ownTopic)).rejects.toThrow(/[Aa]uthoriz|does not host/);
    await expect((await producerOf(stranger)).send(message)).rejects.toThrow(/[Aa]uthoriz|does not host/);

    // and nobody does with a token that was forged, or is too old
    const forger = await createTokenIssuer({ issuer: tokens.issuer, audience: tokens.audience });
    const bad = {
      forged: await forger.sign(`${fleet.name}.${fleet.clusterId}`),
      expired: await tokens.sign(`${fleet.name}.${fleet.clusterId}`, { expiresInSeconds: -120 }),
    };
    for (const [kind, token] of Object.entries(bad)) {
      const attempt = async (): Promise<unknown> => (await adminOf(holderOf(token))).fetchTopicOffsets(ownTopic);
      await expect(attempt(), kind).rejects.toThrow(/SASL|[Aa]uthentic/);
    }
  });
});
