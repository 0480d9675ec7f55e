import { topics } from '#libs/contracts';
import { withMac, type Messaging, type OutgoingMessage } from '#libs/messaging';
import type { SigningKeys } from './ports.ts';

/** Says something to clusters whose keys are known. */
export interface Voice {
  /** Resolves when the log has the messages. A cluster that was unregistered meanwhile has no key, and nobody listens: nothing is sent. */
  say(clusterId: string, messages: readonly OutgoingMessage[], timeoutMs?: number): Promise<void>;
}

/**
 * The only way to speak on the topics of clusters: whatever is said there, tombstones too, carries a MAC under the cluster's status key, without
 * which its agent believes nothing.
 */
export class ClusterVoice {
  private readonly messaging: Messaging;
  private readonly keys: SigningKeys;
  private readonly fleet: string;

  constructor(parts: { readonly messaging: Messaging; readonly keys: SigningKeys; readonly fleet: string }) {
    this.messaging = parts.messaging;
    this.keys = parts.keys;
    this.fleet = parts.fleet;
  }

  /** For these clusters, and for now: a key may end at any time. */
  async to(clusterIds: readonly string[]): Promise<Voice> {
    const keys = await this.keys.signing(clusterIds);
    return {
      say: async (clusterId, messages, timeoutMs) => {
        const key = keys.get(clusterId)?.();
        if (!key) return;
        const topic = topics(this.fleet).cluster(clusterId);
        const proven = messages.map((message) => withMac(topic, message, key));
        await this.messaging.publish(topic, proven, timeoutMs);
      },
    };
  }
}
