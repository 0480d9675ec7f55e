import type { Pool } from 'pg';
import type { EciClients } from '#libs/eci';
import type { Clock, Random } from '#libs/runtime';
import type { Projection } from '../streams/projection.ts';
import type { AccountFacts, ClusterFacts } from './facts.ts';
import type { Canaries } from './oracles/o7-secrets.ts';
import type { QuotaReport } from './quotas-at-kafka.ts';
import type { ChainReport } from './verify-chain.ts';

/** What the doctor talks to. */
export interface Patient {
  readonly pool: Pool;
  readonly clients: EciClients;
  /** Value of the fleet's tag. */
  readonly fleet: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Secrets of this fleet's own configuration, looked for where they should not be. */
  readonly canaries: Canaries;
  /** What is kept of events in tables. */
  readonly projections: readonly Projection[];
  /** Verifies the chain of seals over the log; absent: only digests are checked. */
  readonly chain?: (signal?: AbortSignal) => Promise<ChainReport>;
  /** What Kafka lets the agents of these clusters write; absent: only the budgets of intake are looked at. */
  readonly quotas?: (clusters: readonly Pick<ClusterFacts, 'clusterId' | 'keyGeneration'>[]) => Promise<QuotaReport>;
  /** How accounts are set up; absent: nothing is said of them. */
  readonly accounts?: () => Promise<readonly AccountFacts[]>;
}
