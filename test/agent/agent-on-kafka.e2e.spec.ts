import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { agentGroup, topics, type PodStatusMessage } from '#libs/contracts';
import { KafkaMessaging, macKeyOf, withMac } from '#libs/messaging';
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
  expect(agent.health()).toMatchObject({
    status: 'ok',
    messaging: 'connected',
    publishing: 'ok',
    believes: 'the control plane alone',
  });
});

it('neither fails nor removes a pod because somebody else writes to its topic, and takes what is true after it', async () => {
  // given a pod that was deleted, and whose group is being stopped
  const { name: ns } = await cluster.createNamespace();
  const path = `/api/v1/namespaces/${ns}/pods/q`;
  await cluster.api.call('POST', `/api/v1/namespaces/${ns}/pods`, {
    metadata: { name: 'q' },
    spec: { nodeName: node, containers: [{ name: 'app', image: 'nginx' }] },
  });
  const { uid } = (await cluster.api.call('GET', path)).metadata as { uid: string };
  const status = (revision: number, phase: string, finalize = false): PodStatusMessage => ({
    kind: 'PodStatus',
    schemaVersion: 1,
    podUid: uid,
    namespace: ns,
    name: 'q',
    revision,
    status: { phase, conditions: [] },
    annotations: {},
    finalize,
    events: [],
  });
  const phaseOf = async (): Promise<string> => (await cluster.api.call('GET', path)).status.phase as string;
  await controlPlane.say(status(1, 'Running'));
  await eventually(async () => (await phaseOf()) === 'Running', { what: 'it runs', deadlineMs: 60_000 });
  await cluster.api.call('DELETE', path, { gracePeriodSeconds: 600 });

  // when somebody says with the highest of all revisions that it failed and may go
  const topic = topics(fleet).cluster(controlPlane.clusterId);
  const lie = { key: uid, value: Buffer.from(JSON.stringify(status(Number.MAX_SAFE_INTEGER, 'Failed', true))) };
  const theirs = randomBytes(32);
  await messaging.publish(topic, [
    lie,
    { key: uid, value: null },
    withMac(topic, lie, macKeyOf('s1', theirs)),
    withMac(topic, lie, macKeyOf('made-up', theirs)),
  ]);
  const refused = async (): Promise<number> => {
    const text = await (await fetch(`${agent.healthUrl}/metrics`)).text();
    const counts = [...text.matchAll(/eci_fleet_agent_messages_refused_total\{[^}]*\} (\d+)/g)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  await eventually(async () => (await refused()) >= 4, {
    what: 'the agent has left all of it out',
    deadlineMs: 60_000,
  });

  // then it is there and runs, and ends when the control plane says so
  expect(await phaseOf()).toBe('Running');
  await controlPlane.say(status(2, 'Running', true));
  await eventually(async () => (await cluster.api.ask('GET', path)).status === 404, {
    what: 'its object is removed',
    deadlineMs: 60_000,
  });
});

it('goes to no broker of another machine in clear, whatever the control plane names, unless this cluster allows it', async () => {
  // given a control plane that names such a broker
  const far = new StubControlPlane({
    messaging,
    fleet,
    kafka: { brokers: ['broker.example:9092'], security: 'oauthbearer', tls: false },
  });
  await far.start();
  const environment = {
    CONTROL_PLANE_URL: far.url,
    JOIN_TOKEN: far.token,
    KUBECONFIG: cluster.kubeconfig,
    AGENT_NAMESPACE: (await cluster.createNamespace()).name,
    ECI_REGION: 'cn-hangzhou',
    NODE_NAME: `${node}-far`,
    WEBHOOK: 'false',
    HEALTH_PORT: '0',
  };
  const running: RunningAgent[] = [];
  const start = async (more: Record<string, string>): Promise<RunningAgent> => {
    const started = await startAgent(loadAgentConfig({ ...environment, ...more }), { logger: silentLogger });
    running.push(started);
    return started;
  };
  try {
    // when an agent joins it, then the agent says what is wrong, and what to do
    const careful = await start({});
    await eventually(() => careful.health().messagingTrouble?.includes('broker.example is another machine'), {
      what: 'the agent says why it does not go there',
      deadlineMs: 30_000,
    });
    expect(careful.health()).toMatchObject({ status: 'degraded', messaging: 'away', insecureTransports: [] });
    expect(careful.health().messagingTrouble).toContain('KAFKA_INSECURE=true');
    await running.pop()!.stop();

    // and one that was told that it may says that it does
    const open = await start({ KAFKA_INSECURE: 'true' });
    await eventually(() => open.health().insecureTransports.length > 0, { what: 'the session', deadlineMs: 30_000 });
    expect(open.health().insecureTransports).toMatchObject([{ setting: 'KAFKA_BROKERS', host: 'broker.example' }]);
    const metrics = await (await fetch(`${open.healthUrl}/metrics`)).text();
    expect(metrics).toContain('eci_fleet_agent_insecure_transport{setting="KAFKA_BROKERS"} 1');
  } finally {
    await Promise.all(running.map((each) => each.stop()));
    await far.stop();
    await cluster.api.ask('DELETE', `/api/v1/nodes/${node}-far`);
  }
});
