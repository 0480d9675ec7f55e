import type { ClearPart, RunPod, SealedRunPod, StopPod, Inventory } from '#libs/contracts';
import { openEnvelope, type IncomingMessage } from '#libs/messaging';
import type { ClusterSource, EnvelopeKeySource, Sender } from './ports.ts';

interface From {
  readonly message: IncomingMessage;
  readonly clusterId: string;
}

export type ReadMessage =
  | (From & {
      readonly kind: 'RunPod';
      readonly clear: ClearPart;
      readonly body: RunPod;
      readonly sealed: SealedRunPod;
      readonly accountId: string;
    })
  | (From & { readonly kind: 'StopPod'; readonly clear: ClearPart; readonly body: StopPod })
  | (From & { readonly kind: 'Inventory'; readonly body: Inventory })
  | {
      readonly kind: 'misunderstood';
      readonly message: IncomingMessage;
      /** Holds no secret. */
      readonly reason: string;
      readonly sender: Sender;
      readonly clearText?: string;
    };

/** Opens and checks messages of one batch; keys and clusters are asked for once. */
export class MessageReader {
  private readonly keys: EnvelopeKeySource;
  private readonly clusters: ClusterSource;
  private readonly known = new Map<string, Uint8Array | undefined>();

  constructor(parts: { readonly keys: EnvelopeKeySource; readonly clusters: ClusterSource }) {
    this.keys = parts.keys;
    this.clusters = parts.clusters;
  }

  /** Rejects only when a key or a cluster cannot be asked for: the message may be fine. */
  async read(message: IncomingMessage): Promise<ReadMessage> {
    const slash = message.key.indexOf('/');
    const clusterId = slash > 0 ? message.key.slice(0, slash) : undefined;
    if (clusterId === undefined) {
      const reason = 'the message has no key of the form <cluster>/<pod uid>';
      return { kind: 'misunderstood', message, reason, sender: { proven: false } };
    }
    const opened = await this.open(message, clusterId);
    if (!opened.ok) {
      const { reason, clearText, proven } = opened;
      const sender: Sender = { proven, clusterId };
      return { kind: 'misunderstood', message, reason, sender, ...(clearText !== undefined && { clearText }) };
    }
    const { clear } = opened;
    const cluster = await this.clusters.find(clusterId, clear.agentEpoch);
    const reason = faultOf(cluster, clear);
    if (cluster === undefined || reason !== undefined) {
      return {
        kind: 'misunderstood',
        message,
        reason: reason ?? NO_CLUSTER,
        sender: { proven: true, clusterId },
        clearText: JSON.stringify(clear),
      };
    }
    const { body } = clear;
    const from = { message, clusterId };
    switch (body.kind) {
      case 'RunPod':
        // `openEnvelope` has checked the sealed half of a RunPod against its schema.
        return {
          ...from,
          kind: 'RunPod',
          clear,
          body,
          sealed: opened.sealed as SealedRunPod,
          accountId: cluster.accountId,
        };
      case 'StopPod':
        return { ...from, kind: 'StopPod', clear, body };
      case 'Inventory':
        return { ...from, kind: 'Inventory', body };
    }
  }

  /** Which key is wanted is known only from inside, and opening cannot wait for one: the first message of a key is opened twice. */
  private async open(message: IncomingMessage, clusterId: string): ReturnType<typeof openEnvelope> {
    let wanted: string | undefined;
    const opened = await openEnvelope(message.value, message.key, (kid) => {
      const known = this.known.get(`${clusterId}/${kid}`);
      if (!known) wanted = kid;
      return known;
    });
    if (opened.ok || wanted === undefined || this.known.has(`${clusterId}/${wanted}`)) return opened;
    this.known.set(`${clusterId}/${wanted}`, await this.keys.find(clusterId, wanted));
    return openEnvelope(message.value, message.key, (kid) => this.known.get(`${clusterId}/${kid}`));
  }
}

const NO_CLUSTER = 'no such cluster is registered';

/** Why a message that could be opened is not taken all the same. */
function faultOf(
  cluster: { readonly live: boolean; readonly epoch: number } | undefined,
  { agentEpoch }: ClearPart,
): string | undefined {
  if (!cluster) return NO_CLUSTER;
  if (!cluster.live) return 'the cluster was unregistered';
  // Nothing newer could ever follow it: the pod's intent would be fixed for good.
  return agentEpoch > cluster.epoch
    ? `it claims session ${agentEpoch}, and the newest of the cluster is ${cluster.epoch}`
    : undefined;
}
