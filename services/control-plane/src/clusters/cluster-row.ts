import type { JWK } from 'jose';
import { IS_PROVEN } from '../keys/status-keys.ts';

/** Row of `fleet.cluster`. */
export interface ClusterRow {
  readonly id: string;
  readonly name: string;
  readonly account_id: string;
  readonly fingerprint: string | null;
  readonly public_key: JWK | null;
  readonly key_thumbprint: string | null;
  /** How many keys of the cluster's agents have ended. */
  readonly key_generation: number;
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
  /** Only in rows that were read with {@link WITH_HOLDS}. */
  readonly held?: string | null;
  readonly denied?: string | null;
  readonly held_since?: Date | null;
  readonly hold_active?: boolean;
  /** Whether its agent believes nothing of its topic that carries no MAC. */
  readonly proven?: boolean;
  readonly deferred?: string | null;
  readonly deferred_since?: Date | null;
}

/**
 * What `fleet.cluster c` sent over its budget. An inventory that waits a minute for its turn is no offence: agents send two in a row when they start.
 */
export const OVER_BUDGET = `
  select count(*) as deferred, min(deferred_at) as deferred_since from fleet.deferred_intent d where d.cluster_id = c.id
     and (d.subject <> 'inventory' or d.deferred_at < now() - interval '2 minutes')`;

/** Joins to `fleet.cluster c` what the mass-delete guard holds of each cluster, what it sent over its budget, and whether its topic is proven. */
export const WITH_HOLDS = `
  left join lateral (${OVER_BUDGET}) over_budget on true
  left join lateral (select ${IS_PROVEN} as proven from fleet.unproven_speaker u) proof on true
  left join lateral (
    select count(*) filter (where denied_at is null) as held, count(*) filter (where denied_at is not null) as denied, min(since) as held_since
      from fleet.held_stop s where s.cluster_id = c.id) held on true
  left join lateral (select exists (select 1 from fleet.hold h where h.cluster_id = c.id and h.ended_at is null) as hold_active) hold on true`;
