import type { JWK } from 'jose';

/** Row of `fleet.cluster`. */
export interface ClusterRow {
  readonly id: string;
  readonly name: string;
  readonly account_id: string;
  readonly fingerprint: string | null;
  readonly public_key: JWK | null;
  readonly key_thumbprint: string | null;
  /** bigint, as text. */
  readonly epoch: string;
  readonly session_agent_id: string | null;
  readonly session_started_at: Date | null;
  readonly session_renewed_at: Date | null;
  readonly agent_version: string | null;
  readonly node_name: string | null;
  readonly flapping_at: Date | null;
  readonly registered_at: Date;
  readonly joined_at: Date | null;
  readonly unregistered_at: Date | null;
}
