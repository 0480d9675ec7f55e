import type { EffectQueue, EventStore, GateQueue } from '#libs/event-store';
import type { EciClients } from '#libs/eci';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock, Ids, Random } from '#libs/runtime';
import type { StreamVault } from '../keys/stream-vault.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import type { AgentCommands } from '../intake/ports.ts';
import type { KnownGroups } from '../evidence/may-see.ts';

export type Gates = Pick<GateQueue, 'look' | 'report'>;

/** Told the first time that this process works in a place of the cloud, before it claims there. */
interface PlacesInUse extends KnownGroups {
  ensure(accountId: string, region: string): Promise<void>;
}

/** A hint that there may be new work. Returns how to stop listening. */
export interface WakeUps {
  on(listener: () => void): () => void;
}

export interface EffectParts {
  /** Name of the fleet: the value of its tag on every group. */
  readonly fleet: string;
  readonly store: EventStore;
  readonly queue: EffectQueue;
  readonly gates: Gates;
  readonly clients: EciClients;
  readonly streams: StreamCommands;
  readonly vault: StreamVault;
  readonly scopes: PlacesInUse;
  readonly agents: Pick<AgentCommands, 'sendCommand'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export const ACTOR = 'control-plane:effects';
