/** For specs of this service: a whole fleet in this process, whose agent is played. */
import {
  intentKey,
  PodStatusMessage,
  topics,
  type ClearPart,
  type IntentBody,
  type SessionResponse,
} from '#libs/contracts';
import { sealEnvelope, type Messaging } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import type { Environment } from '#libs/configuration';
import { startControlPlane, type ControlPlane } from '../src/control-plane.ts';
import { call, newMessaging, TestAgent, testConfig } from './for-specs.ts';

const names = topics('eci-fleet');

/** A control plane with all roles, and one cluster whose agent is played. */
export interface Fleet {
  plane: ControlPlane;
  readonly messaging: Messaging;
  readonly statuses: Map<string, PodStatusMessage>;
  restart(): Promise<void>;
  run(uid: string, name?: string): Promise<void>;
  stopPod(uid: string, name?: string): Promise<void>;
  /** The API server has no such pod. */
  absent(uid: string): Promise<void>;
  close(): Promise<void>;
}

export async function startFleet(
  clusterId: string,
  /** Migrated; dropped by `close`. */
  database: { readonly url: string; drop(): Promise<void> },
  environment: Environment,
  options: {
    readonly accountId?: string;
    readonly logger?: Logger;
  } = {},
): Promise<Fleet> {
  const messaging = newMessaging();
  const config = await testConfig(database.url, environment);
  const parts = { messaging, ...(options.logger && { logger: options.logger }) };
  let plane = await startControlPlane(config, parts);
  const { body } = await call<{ joinToken: { token: string } }>(plane.url, 'POST', '/api/v1/clusters', {
    body: { id: clusterId, ...(options.accountId !== undefined && { accountId: options.accountId }) },
  });
  const agent = await TestAgent.create(plane.url, { fingerprint: `uid-${clusterId}` });
  await agent.join(body.joinToken.token);
  const session = (await agent.session()).body;
  const statuses = new Map<string, PodStatusMessage>();
  await messaging.consume({
    topics: [names.cluster(clusterId)],
    group: `spec-${clusterId}`,
    handle: ({ messages }) => {
      for (const { key, value } of messages) {
        if (value === null || key.startsWith('command/')) continue;
        const status = PodStatusMessage.parse(JSON.parse(Buffer.from(value).toString('utf8')));
        if ((statuses.get(key)?.revision ?? 0) < status.revision) statuses.set(key, status);
      }
      return Promise.resolve();
    },
  });
  let sequence = 0;
  const send = async (uid: string, bodyOf: IntentBody, sealed: unknown): Promise<void> => {
    const message = await seal(session, { clusterId, uid, sequence: ++sequence, body: bodyOf, sealed });
    await messaging.publish(names.intents, [message]);
  };
  return {
    get plane() {
      return plane;
    },
    messaging,
    statuses,
    async restart() {
      await plane.stop();
      plane = await startControlPlane(config, parts);
    },
    run: (uid, name = `pod-${uid}`) => send(uid, runPod(uid, name), SEALED),
    stopPod: (uid, name = `pod-${uid}`) =>
      send(
        uid,
        {
          kind: 'StopPod',
          uid,
          namespace: 'default',
          name,
          deletionTimestamp: new Date().toISOString(),
          reason: 'Deleted',
        },
        {},
      ),
    absent: (uid) =>
      send(uid, { kind: 'StopPod', uid, namespace: 'default', name: `pod-${uid}`, reason: 'Absent' }, {}),
    async close() {
      await plane.stop();
      await messaging.close();
      await database.drop();
    },
  };
}

const SEALED = {
  env: { 'containers/main/0': 'canary-env' },
  annotations: {},
  configMaps: {},
  secrets: {},
  tokens: {},
  pullSecrets: [],
};

function runPod(uid: string, name: string): IntentBody {
  return {
    kind: 'RunPod',
    pod: {
      uid,
      namespace: 'default',
      name,
      resourceVersion: '1',
      phase: 'Pending',
      metadata: { name, namespace: 'default', uid, annotations: {}, creationTimestamp: '2026-03-01T10:00:00Z' },
      spec: {
        restartPolicy: 'Always',
        nodeName: 'virtual-kubelet',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'Default',
        containers: [
          {
            name: 'main',
            image: 'nginx:1',
            env: [{ name: 'A', value: '' }],
            resources: { requests: { cpu: '1', memory: '2Gi' } },
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            imagePullPolicy: 'IfNotPresent',
          },
        ],
      },
    },
    resolved: {
      profileRevision: 'r1',
      profile: {
        region: 'cn-hangzhou',
        vSwitchIds: ['vsw-demo-h', 'vsw-demo-i'],
        securityGroupId: 'sg-demo',
        enableClusterIp: false,
      },
      serviceEnv: {},
      tokens: [],
    },
  };
}

async function seal(
  session: SessionResponse,
  intent: {
    readonly clusterId: string;
    readonly uid: string;
    readonly sequence: number;
    readonly body: IntentBody;
    readonly sealed: unknown;
  },
): Promise<{ key: string; value: Uint8Array }> {
  const key = session.envelopeKeys.filter((k) => Date.parse(k.notBefore) <= Date.now()).at(-1)!;
  const clear: ClearPart = {
    schemaVersion: 1,
    clusterId: intent.clusterId,
    agentEpoch: session.agentEpoch,
    sequence: intent.sequence,
    sentAt: new Date().toISOString(),
    body: intent.body,
  };
  const messageKey = intentKey(intent.clusterId, intent.uid);
  const value = await sealEnvelope({
    clear,
    sealed: intent.sealed,
    messageKey,
    key: { ...key, key: new Uint8Array(Buffer.from(key.key, 'base64url')) },
  });
  return { key: messageKey, value };
}
