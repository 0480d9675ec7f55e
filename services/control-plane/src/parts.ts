import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import type { EciClients } from '#libs/eci';
import type { EffectQueue, EventStore, Nudge, PostgresGateQueue, TimerQueue } from '#libs/event-store';
import type { Messaging } from '#libs/messaging';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock, Ids, Random } from '#libs/runtime';
import type { AccountDirectory } from './accounts/account-directory.ts';
import type { ClusterDirectory } from './clusters/cluster-directory.ts';
import type { ControlPlaneConfig } from './config.ts';
import type { EnvelopeKeys } from './keys/envelope-keys.ts';
import type { MasterKey } from './keys/master-key.ts';
import type { StreamVault } from './keys/stream-vault.ts';
import type { ClusterCommands } from './publish/cluster-commands.ts';
import type { ClusterTopics } from './publish/cluster-topics.ts';
import type { PodStatusPublisher } from './publish/pod-status.ts';
import type { Quarantine } from './quarantine/quarantine.ts';
import type { StreamCommands } from './streams/stream-commands.ts';

/** What the roles of one process share. Each role takes what it needs and hands it to its loops. */
export interface Parts {
  readonly config: ControlPlaneConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly pool: Pool;
  readonly dataSource: DataSource;
  /** Events opened: for those who decide, and who tell a pod's owner. */
  readonly store: EventStore;
  /** Events as they are stored: for those who pass them on or keep rows of them. */
  readonly stored: EventStore;
  /** Told after every append of this process, and of others as far as hints reach. */
  readonly appended: Nudge;
  readonly effects: EffectQueue;
  readonly gates: PostgresGateQueue;
  readonly timers: TimerQueue;
  readonly messaging: Messaging;
  readonly eci: EciClients;
  /** Decides on streams; shared, so that appends of all roles of this process go out together. */
  readonly streams: StreamCommands;
  readonly vault: StreamVault;
  readonly masterKey: MasterKey;
  readonly envelopeKeys: EnvelopeKeys;
  readonly accounts: AccountDirectory;
  readonly clusters: ClusterDirectory;
  readonly quarantine: Quarantine;
  readonly commands: ClusterCommands;
  readonly topics: ClusterTopics;
  readonly statuses: PodStatusPublisher;
}
