import type { ClusterCommand } from '#libs/contracts';
import type { OpeningKey } from '#libs/messaging';

/** Keys under which agents seal intents. A key of another cluster is never found: that binds an envelope to its cluster. */
export interface EnvelopeKeySource {
  find(clusterId: string, kid: string): Promise<OpeningKey | undefined>;
}

export interface ClusterSource {
  /** Undefined: there never was such a cluster. What is remembered is asked for anew when its newest session is below `epoch`. */
  find(
    clusterId: string,
    epoch?: number,
  ): Promise<{ readonly accountId: string; readonly live: boolean; readonly epoch: number } | undefined>;
}

/** What is said to agents. */
export interface AgentCommands {
  sendCommand(clusterId: string, command: ClusterCommand): Promise<boolean>;
  sendToAll(command: ClusterCommand): Promise<void>;
}

export interface StatusPublisher {
  /**
   * Publishes the present status of these streams once more. `objectIsThere`: their cluster shows the pods, so that also a stream that takes its
   * object for gone says how the pod is, not that there is nothing more to say.
   */
  publish(streamIds: readonly string[], options?: { readonly objectIsThere?: boolean }): Promise<void>;
}

/** Who sent a message. Proven: its seal fits a key of that cluster. Else the id is what the message's key claims, which anybody may write. */
export type Sender =
  { readonly proven: true; readonly clusterId: string } | { readonly proven: false; readonly clusterId?: string };

/** A message that was not understood, as it came. `reason` must hold no secret. */
export interface QuarantinedMessage {
  readonly topic: string;
  readonly epoch: number;
  readonly partition: number;
  readonly offset: string;
  readonly key: string;
  readonly reason: string;
  readonly sender: Sender;
  /** The envelope's clear part as it came, when it could be read. */
  readonly clear?: string;
  /** The whole message; what is sealed in it stays sealed. `null` when it had no value. */
  readonly original: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where messages wait for somebody to look at them. */
export interface QuarantineDesk {
  /**
   * Keeps messages of one partition, in their order, or counts those that were here before. Answers those that are new; one whose place was kept by
   * an earlier call that nobody finished is new once more.
   */
  add(messages: readonly QuarantinedMessage[]): Promise<readonly QuarantinedMessage[]>;
}

export interface InventoryPod {
  readonly uid: string;
  readonly phase: string;
  readonly revision?: number | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly waitingFor?: string | undefined;
}

/** Pods of one inventory, as JSON: some hundred thousand. What is larger cannot be told from an attack, and is not kept. */
export const MAX_INVENTORY_BYTES = 16 * 1024 * 1024;

/** What became of one part: all pods once the set is complete. */
export type KeptPart =
  | { readonly state: 'complete'; readonly pods: readonly InventoryPod[] }
  | { readonly state: 'incomplete' }
  /** With it the set would have more than {@link MAX_INVENTORY_BYTES}: it was not kept, and the set will never be complete. */
  | { readonly state: 'too-large' };

/** What the last complete inventory of a cluster left open. */
export interface RememberedInventory {
  readonly inventoryId: string;
  /** Epoch milliseconds. */
  readonly completedAt: number;
  readonly unknownPods: readonly string[];
  /** Pods of streams that count on one, and that it did not hold. */
  readonly missingPods: readonly string[];
  /** Of the cluster when the inventory was compared: see {@link Inventories.keyGeneration}. */
  readonly keyGeneration: number;
}

/** Memory of inventories. All of it may be lost: the next inventories bring it back. */
export abstract class Inventories {
  /**
   * Keeps one part; answers all pods of the set once the last part is there, whatever their order. A cluster has one set under way: parts of
   * another one take its place.
   */
  abstract keep(part: {
    readonly clusterId: string;
    readonly inventoryId: string;
    readonly chunk: number;
    readonly chunks: number;
    readonly pods: readonly InventoryPod[];
  }): Promise<KeptPart>;
  abstract last(clusterId: string): Promise<RememberedInventory | undefined>;
  /** How many keys of the cluster's agents have ended; what was sealed for one of them, and was not read in time, never will be. */
  abstract keyGeneration(clusterId: string): Promise<number>;
  /** Remembers what a complete set left open, and forgets its parts. */
  abstract remember(clusterId: string, inventory: RememberedInventory): Promise<void>;
  /** Version of every stream of the cluster whose pod may still exist, by pod UID. */
  abstract openStreams(clusterId: string): Promise<ReadonlyMap<string, number>>;
  /** Version of those of the streams that exist, open or not, by stream id. */
  abstract existing(streamIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** UIDs of pods with messages in quarantine that came since then (epoch milliseconds) and that the cluster itself sent. */
  abstract quarantined(clusterId: string, since: number): Promise<ReadonlySet<string>>;
}

/** Stands for a cluster's inventory where pods are named by their UIDs. */
export const INVENTORY = 'inventory';

/** Pods of one cluster that are remembered one by one; of more only that there are more. */
export const MAX_DEFERRED = 10_000;

/** What was over a cluster's budget and must be asked for again, by pod UID; {@link INVENTORY}: an inventory. */
export abstract class Deferrals {
  /** Remembers, {@link MAX_DEFERRED} of a cluster at most; beyond that an inventory, which holds them all. */
  abstract defer(clusterId: string, subjects: readonly string[]): Promise<void>;
  /** Clusters that have any. */
  abstract clusters(): Promise<readonly string[]>;
  /** Those that wait longest, for this caller alone for a minute. */
  abstract claim(clusterId: string, most: number): Promise<readonly string[]>;
  /** They were claimed, and could not be asked for: they are to be had again at once. */
  abstract release(clusterId: string, subjects: readonly string[]): Promise<void>;
  /** They were asked for. What was deferred again since its claim stays. */
  abstract settle(clusterId: string, subjects: readonly string[]): Promise<void>;
}
