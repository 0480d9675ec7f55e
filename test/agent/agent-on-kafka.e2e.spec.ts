import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentGroup, topics } from '#libs/contracts';
import { KafkaMessaging } from '#libs/messaging';
import { silentLogger } from '#libs/observability';
import { eventually, sharedKafka, sharedKubernetes, topicPrefix, type KubernetesCluster } from '#libs/testing';
import { startAgent, type RunningAgent } from '../../services/agent/src/agent.ts';
import { loadAgentConfig } from '../../services/agent/src/config.ts';
import { StubControlPlane } from './stub-control-plane.ts';

const node = `agent-kafka-${randomBytes(4).toString('hex')}`;
const fleet = `${topicPrefix()}fleet`;
let cluster: KubernetesCluster;
let messaging: KafkaMessaging;
let controlPlane: StubControlPlane;
let agent: RunningAgent;

// The cluster's own identity on a broker that checks it: an access token, and ACLs for its topic and group only.
beforeAll(async () => {
  cluster = await sharedKubernetes();
  const kafka = await sharedKafka();
  if (!kafka.oauth) throw new Error('this test needs a broker of its own that takes tokens: unset KAFKA_BROKERS');
  messaging = new KafkaMessaging({ brokers: kafka.brokers, clientId: 'test', security: { kind: 'plaintext' } });
  const { tokens, brokers } = kafka.oauth;
  controlPlane = new StubControlPlane({
    messaging,
    fleet,
    kafka: { brokers, security: 'oauthbearer', tls: false },
    accessToken: (clusterId) => tokens.sign(`${fleet}.${clusterId}`),
  });
  await controlPlane.start();
  const { clusterId } = controlPlane;
  await messaging.grantCluster(`${fleet}.${clusterId}`, {
    write: [topics(fleet).intents],
    read: [topics(fleet).cluster(clusterId)],
    group: agentGroup(fleet, clusterId),
  });
  agent = await startAgent(
    loadAgentConfig({
      CONTROL_PLANE_URL: controlPlane.url,
      JOIN_TOKEN: controlPlane.token,
      KUBECONFIG: cluster.kubeconfig,
      AGENT_NAMESPACE: (await cluster.createNamespace()).name,
      ECI_REGION: 'cn-hangzhou',
      NODE_NAME: node,
      WEBHOOK: 'false',
      HEALTH_PORT: '0',
    }),
    { logger: silentLogger },
  );
});

afterAll(async () => {
  await agent?.stop();
  await controlPlane?.stop();
  await messaging?.close();
  await cluster?.api.ask('DELETE', `/api/v1/nodes/${node}`);
  await cluster?.close();
});

it('sends intents and takes statuses with the identity of its cluster', async () => {
  const { name: ns } = await cluster.createNamespace();
  await cluster.api.call('POST', `/api/v1/namespaces/${ns}/pods`, {
    metadata: { name: 'p' },
    spec: { nodeName: node, containers: [{ name: 'app', image: 'nginx' }] },
  });
  const { uid } = (await cluster.api.call('GET', `/api/v1/namespaces/${ns}/pods/p`)).metadata as { uid: string };

  await eventually(() => controlPlane.runs(uid)[0], { what: 'a RunPod over Kafka', deadlineMs: 60_000 });
  await controlPlane.say({
    kind: 'PodStatus',
    schemaVersion: 1,
    podUid: uid,
    namespace: ns,
    name: 'p',
    revision: 1,
    status: { phase: 'Running', conditions: [] },
    annotations: {},
    finalize: false,
    events: [],
  });

  await eventually(
    async () => (await cluster.api.call('GET', `/api/v1/namespaces/${ns}/pods/p`)).status.phase === 'Running',
    { what: 'the status is written', deadlineMs: 60_000 },
  );
  expect(controlPlane.faults).toEqual([]);
  expect(agent.health()).toMatchObject({ status: 'ok', messaging: 'connected', publishing: 'ok' });
});
