import { intentKey, type ClearPart, type IntentBody, type SealedRunPod } from '#libs/contracts';
import { sealEnvelope } from '#libs/messaging';
import { speakAs, type Voice } from '../../bench/agent-of-one-call.ts';
import { REGION, type FaultFleet } from './fleet.ts';

export type Said = 'run' | 'run again' | 'stop' | 'object gone';

/** A cluster without an agent: what its agent would say is said by the test, sealed with the cluster's own key. */
export class Speaker {
  readonly #voice: Voice;
  #sequence = 0;

  private constructor(voice: Voice) {
    this.#voice = voice;
  }

  static async of(fleet: FaultFleet, clusterId: string): Promise<Speaker> {
    return new Speaker(await speakAs(fleet.api.url, clusterId));
  }

  get clusterId(): string {
    return this.#voice.clusterId;
  }

  /** One message about a pod. `run again` is newer than `run`, and the same. */
  message(uid: string, said: Said): Promise<{ key: string; value: Buffer }> {
    return this.say(
      uid,
      said.startsWith('run') ? runPod(uid) : stopPod(uid, said === 'stop' ? 'Deleted' : 'ObjectGone'),
    );
  }

  /** Any body, sealed. */
  async say(uid: string, body: IntentBody): Promise<{ key: string; value: Buffer }> {
    const { clusterId, epoch, key } = this.#voice;
    const clear: ClearPart = {
      schemaVersion: 1,
      clusterId,
      agentEpoch: epoch,
      sequence: ++this.#sequence,
      sentAt: new Date().toISOString(),
      body,
    };
    const messageKey = intentKey(clusterId, uid);
    const sealed = body.kind === 'RunPod' ? SECRETS : {};
    return { key: messageKey, value: Buffer.from(await sealEnvelope({ clear, sealed, messageKey, key })) };
  }
}

const SECRETS: SealedRunPod = { env: {}, annotations: {}, configMaps: {}, secrets: {}, tokens: {}, pullSecrets: [] };

function runPod(uid: string, name = `pod-${uid.slice(0, 8)}`): IntentBody {
  return {
    kind: 'RunPod',
    pod: {
      uid,
      namespace: 'default',
      name,
      resourceVersion: '1',
      phase: 'Pending',
      metadata: { name, namespace: 'default', uid, creationTimestamp: new Date().toISOString() },
      spec: {
        nodeName: 'virtual-kubelet',
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: 'nginx', resources: { requests: { cpu: '500m', memory: '1Gi' } } }],
      },
    },
    resolved: {
      profileRevision: 'test',
      profile: {
        region: REGION,
        vpcId: 'vpc-demo',
        vSwitchIds: ['vsw-demo-h', 'vsw-demo-i', 'vsw-demo-j', 'vsw-demo-k'],
        securityGroupId: 'sg-demo',
        enableClusterIp: true,
      },
      dns: { clusterDomain: 'cluster.local', nameServers: ['10.96.0.10'] },
      serviceEnv: {},
      tokens: [],
    },
  };
}

function stopPod(uid: string, reason: 'Deleted' | 'ObjectGone'): IntentBody {
  return { kind: 'StopPod', uid, namespace: 'default', name: `pod-${uid.slice(0, 8)}`, reason };
}
