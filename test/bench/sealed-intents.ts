import { randomBytes, randomUUID } from 'node:crypto';
import { intentKey, type ClearPart, type SealedRunPod } from '#libs/contracts';
import { sealEnvelope, type OutgoingMessage } from '#libs/messaging';
import type { Voice } from './agent-of-one-call.ts';
import { REGION, SECURITY_GROUP, VPC, VSWITCHES } from './rig.ts';

const TOKEN_VOLUME = 'kube-api-access-x7k2p';

/** An intent as an agent sends it for a small web pod with a Secret, a service account token and a few variables; about 4 KB sealed. */
export async function sealedIntent(
  voice: Voice,
  sequence: number,
  {
    sleepSeconds,
  }: {
    /** The pod's program ends by itself after so long; default: it runs for ever. */ readonly sleepSeconds?: number;
  } = {},
): Promise<OutgoingMessage> {
  const uid = randomUUID();
  const name = `web-${sequence}`;
  const now = new Date();
  const at = now.toISOString();
  const clear: ClearPart = {
    schemaVersion: 1,
    clusterId: voice.clusterId,
    agentEpoch: voice.epoch,
    sequence,
    sentAt: at,
    body: {
      kind: 'RunPod',
      pod: {
        uid,
        namespace: 'shop',
        name,
        resourceVersion: String(sequence),
        phase: 'Pending',
        metadata: { name, namespace: 'shop', uid, creationTimestamp: at, labels: { app: 'web' }, annotations: {} },
        spec: podSpec(sleepSeconds),
      },
      resolved: {
        profileRevision: 'bench',
        profile: {
          region: REGION,
          vpcId: VPC,
          vSwitchIds: [...VSWITCHES],
          securityGroupId: SECURITY_GROUP,
          enableClusterIp: true,
        },
        dns: { clusterDomain: 'cluster.local', nameServers: ['10.96.0.10'] },
        serviceEnv: { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' },
        tokens: [
          {
            path: `${TOKEN_VOLUME}/token`,
            issuedAt: at,
            expiresAt: new Date(now.getTime() + 365 * 86_400_000).toISOString(),
          },
        ],
      },
    },
  };
  const messageKey = intentKey(voice.clusterId, uid);
  const value = await sealEnvelope({ clear, sealed: secretsOf(), messageKey, key: voice.key });
  return { key: messageKey, value };
}

function secretsOf(): SealedRunPod {
  return {
    env: { 'containers/web/0': 'info', 'containers/web/1': 'https://example.com/orders' },
    annotations: {},
    configMaps: { 'kube-root-ca.crt': { data: { 'ca.crt': randomBytes(420).toString('base64') }, binaryData: {} } },
    // A variable takes text only.
    secrets: { database: { type: 'Opaque', data: { password: btoa(randomBytes(18).toString('base64')) } } },
    tokens: { [`${TOKEN_VOLUME}/token`]: randomBytes(480).toString('base64url') },
    pullSecrets: [],
  };
}

function podSpec(sleepSeconds: number | undefined): Record<string, unknown> {
  return {
    containers: [
      {
        name: 'web',
        image: 'nginx:1.27',
        imagePullPolicy: 'IfNotPresent',
        ...(sleepSeconds === undefined ? {} : { command: ['sleep', String(sleepSeconds)] }),
        env: [
          { name: 'LOG_LEVEL', value: '' },
          { name: 'UPSTREAM', value: '' },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'database', key: 'password' } } },
        ],
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { requests: { cpu: '500m', memory: '1Gi' } },
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        volumeMounts: [
          { mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', name: TOKEN_VOLUME, readOnly: true },
        ],
      },
    ],
    dnsPolicy: 'ClusterFirst',
    enableServiceLinks: true,
    nodeName: 'virtual-kubelet',
    preemptionPolicy: 'PreemptLowerPriority',
    priority: 0,
    restartPolicy: sleepSeconds === undefined ? 'Always' : 'Never',
    schedulerName: 'default-scheduler',
    securityContext: {},
    serviceAccount: 'default',
    serviceAccountName: 'default',
    terminationGracePeriodSeconds: 30,
    tolerations: [{ effect: 'NoSchedule', key: 'virtual-kubelet.io/provider', operator: 'Exists' }],
    volumes: [
      {
        name: TOKEN_VOLUME,
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
            {
              downwardAPI: {
                items: [{ fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' }],
              },
            },
          ],
        },
      },
    ],
  };
}
