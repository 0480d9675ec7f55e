import { podUid, type ClearPart, type RunPod, type SealedRunPod, type StopPod, type Inventory } from '#libs/contracts';
import { unsealEnvelope, type IncomingMessage, type UnsealedEnvelope } from '#libs/messaging';
import type { Allowance } from './cluster-budgets.ts';
import { INVENTORY, type ClusterSource, type EnvelopeKeySource, type Sender } from './ports.ts';

interface From {
  readonly message: IncomingMessage;
  readonly clusterId: string;
}

export type ReadMessage =
  | (From & {
      readonly kind: 'RunPod';
      /** As it came: it may be shown. */
      readonly clear: ClearPart;
      /** The pod is whole here. */
      readonly body: RunPod;
      readonly sealed: SealedRunPod;
      readonly accountId: string;
      /** {@link OpenedEnvelope}. */
      readonly storable: boolean;
    })
  | (From & { readonly kind: 'StopPod'; readonly clear: ClearPart; readonly body: StopPod })
  | (From & { readonly kind: 'Inventory'; readonly body: Inventory })
  | Misunderstood
  /** Its cluster sends more than its budget: nobody has looked at what it says. `subject`: a pod's UID, or {@link INVENTORY}. */
  | (From & { readonly kind: 'OverBudget'; readonly subject: string });

interface Misunderstood {
  readonly kind: 'misunderstood';
  readonly message: IncomingMessage;
  /** Holds no secret. */
  readonly reason: string;
  readonly sender: Sender;
  readonly clearText?: string;
}

/** Its seal is its cluster's: the key's second half is what the sender said, too. */
interface Proven extends From {
  readonly kind: 'proven';
  readonly subject: string;
  readonly envelope: UnsealedEnvelope;
}

/** Opens and checks messages. */
export class MessageReader {
  private readonly keys: EnvelopeKeySource;
  private readonly clusters: ClusterSource;

  constructor(parts: { readonly keys: EnvelopeKeySource; readonly clusters: ClusterSource }) {
    this.keys = parts.keys;
    this.clusters = parts.clusters;
  }

  /**
   * Rejects only when a key or a cluster cannot be asked for: the message may be fine. The budget is asked as soon as the sender is proven: to read
   * what a large message says costs far more than its seal, and others wait meanwhile.
   */
  async read(message: IncomingMessage, allowance: Allowance): Promise<ReadMessage> {
    const unsealed = await this.unseal(message);
    if (unsealed.kind === 'misunderstood') return unsealed;
    const { clusterId, subject, envelope } = unsealed;
    const refuse = (reason: string, clearText?: string): ReadMessage => {
      const sender: Sender = { proven: true, clusterId };
      return { kind: 'misunderstood', message, reason, sender, ...(clearText !== undefined && { clearText }) };
    };
    const isInventory = subject === INVENTORY;
    if (!isInventory && !podUid.safeParse(subject).success)
      return refuse("the message's key does not end with a pod's UID or `inventory`");
    const bytes = message.value?.byteLength ?? 0;
    if (!allowance.admit(clusterId, { bytes, isInventory, sentAt: message.timestamp }))
      return { kind: 'OverBudget', message, clusterId, subject };
    const opened = envelope.read();
    if (!opened.ok) return refuse(opened.reason, opened.clearText);
    const { clear } = opened;
    const cluster = await this.clusters.find(clusterId, clear.agentEpoch);
    const reason = faultOf(cluster, clear);
    if (cluster === undefined || reason !== undefined) return refuse(reason ?? NO_CLUSTER, JSON.stringify(clear));
    const { body } = clear;
    const from = { message, clusterId };
    switch (body.kind) {
      case 'RunPod':
        // Opening has checked the sealed half of a RunPod against its schema.
        return {
          ...from,
          kind: 'RunPod',
          clear,
          ...halvesOf(body, opened.sealed as SealedRunPod),
          accountId: cluster.accountId,
          storable: opened.storable,
        };
      case 'StopPod':
        return { ...from, kind: 'StopPod', clear, body };
      case 'Inventory':
        return { ...from, kind: 'Inventory', body };
    }
  }

  /** As {@link read} rejects. */
  async senderOf(message: IncomingMessage): Promise<Sender> {
    const unsealed = await this.unseal(message);
    return unsealed.kind === 'misunderstood' ? unsealed.sender : { proven: true, clusterId: unsealed.clusterId };
  }

  private async unseal(message: IncomingMessage): Promise<Proven | Misunderstood> {
    const slash = message.key.indexOf('/');
    if (slash <= 0) {
      const reason = 'the message has no key of the form <cluster>/<pod uid>';
      return { kind: 'misunderstood', message, reason, sender: { proven: false } };
    }
    const clusterId = message.key.slice(0, slash);
    const envelope = await unsealEnvelope(message.value, message.key, (kid) => this.keys.find(clusterId, kid));
    if (envelope.ok) return { kind: 'proven', message, clusterId, subject: message.key.slice(slash + 1), envelope };
    const { reason, clearText } = envelope;
    const sender: Sender = { proven: false, clusterId };
    return { kind: 'misunderstood', message, reason, sender, ...(clearText !== undefined && { clearText }) };
  }
}

/** The pod whole, wherever it came, and what else was sealed. */
function halvesOf(body: RunPod, { pod, ...sealed }: SealedRunPod): { body: RunPod; sealed: SealedRunPod } {
  return { body: pod ? { ...body, pod: { ...body.pod, ...pod } } : body, sealed };
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
