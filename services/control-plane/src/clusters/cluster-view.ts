import { z } from 'zod';
import { entityTag } from '../answers/entity-tag.ts';
import type { ClusterRow } from './cluster-row.ts';

/** A live session renews every few minutes; one that was silent for this long is shown as silent. */
export const SESSION_SILENT_MS = 10 * 60_000;
/** An alarm of two agents in one cluster is shown for this long after it was last seen. */
export const FLAPPING_MS = 10 * 60_000;

const time = z.iso.datetime();

export const ClusterView = z
  .object({
    id: z.string(),
    name: z.string(),
    accountId: z.string(),
    state: z.enum(['registered', 'connected', 'silent', 'unregistered']),
    fingerprint: z.string().optional(),
    registeredAt: time,
    joinedAt: time.optional(),
    unregisteredAt: time.optional(),
    session: z
      .object({
        epoch: z.number().int(),
        agentId: z.string(),
        agentVersion: z.string().optional(),
        nodeName: z.string().optional(),
        startedAt: time,
        renewedAt: time,
      })
      .optional(),
    /** Something an operator should look at. */
    alarm: z.object({ code: z.literal('session-flapping'), message: z.string(), lastSeenAt: time }).optional(),
    /** Stops that the mass-delete guard holds: an operator must decide (`GET /api/v1/holds/<cluster>`). */
    hold: z
      .object({
        held: z.number().int(),
        denied: z.number().int(),
        since: time.optional(),
        /** It holds whatever it counts from now on, too. */
        active: z.boolean(),
        message: z.string(),
      })
      .optional(),
    /** It sends more than its budget: what is over waits until it is asked for again. */
    overBudget: z.object({ waiting: z.number().int(), since: time, message: z.string() }).optional(),
    /** Its agent still believes statuses and commands that carry no MAC. */
    unprovenStatuses: z.object({ message: z.string() }).optional(),
  })
  .meta({ id: 'Cluster' });
export type ClusterView = z.infer<typeof ClusterView>;

export const JoinTokenView = z.object({ token: z.string(), expiresAt: time }).meta({ id: 'JoinToken' });
export const RegisteredCluster = z
  .object({ cluster: ClusterView, joinToken: JoinTokenView.meta({ description: 'Shown once; kept hashed.' }) })
  .meta({ id: 'RegisteredCluster' });
export type RegisteredCluster = z.infer<typeof RegisteredCluster>;

export function clusterView(row: ClusterRow, now: number): ClusterView {
  const session = sessionOf(row);
  const flapping = row.flapping_at !== null && now - row.flapping_at.getTime() < FLAPPING_MS;
  return {
    id: row.id,
    name: row.name,
    accountId: row.account_id,
    state: stateOf(row, now),
    ...(row.fingerprint === null ? {} : { fingerprint: row.fingerprint }),
    registeredAt: row.registered_at.toISOString(),
    ...(row.joined_at === null ? {} : { joinedAt: row.joined_at.toISOString() }),
    ...(row.unregistered_at === null ? {} : { unregisteredAt: row.unregistered_at.toISOString() }),
    ...(session === undefined ? {} : { session }),
    ...(flapping && row.flapping_at !== null
      ? {
          alarm: {
            code: 'session-flapping' as const,
            message:
              'the session keeps changing hands: two agents act for this cluster, or one restarts over and over; run one agent only',
            lastSeenAt: row.flapping_at.toISOString(),
          },
        }
      : {}),
    ...(row.hold_active || Number(row.held) + Number(row.denied) > 0 ? { hold: holdOf(row) } : {}),
    ...(row.deferred_since ? { overBudget: overBudgetOf(row, row.deferred_since) } : {}),
    ...(row.proven === false && row.joined_at !== null && row.unregistered_at === null
      ? { unprovenStatuses: { message: UNPROVEN } }
      : {}),
  };
}

/**
 * Entity tag of a cluster: what it is, then everything that is shown of it. Who unregisters it decides on what it is; its session renews all the
 * time.
 */
export function clusterTag(cluster: ClusterView): string {
  const { id, name, accountId, fingerprint, registeredAt, joinedAt, unregisteredAt } = cluster;
  const identity = entityTag([id, name, accountId, fingerprint, registeredAt, joinedAt, unregisteredAt]);
  return `"${identity.slice(1, -1)}.${entityTag(cluster).slice(1, -1)}"`;
}

/** Whether a tag was given for the same cluster in the same registration. */
export const isSameCluster = (stated: string, cluster: ClusterView): boolean =>
  stated.split('.')[0] === clusterTag(cluster).split('.')[0];

function holdOf(row: ClusterRow): NonNullable<ClusterView['hold']> {
  const [held, denied] = [Number(row.held), Number(row.denied)];
  return {
    held,
    denied,
    ...(row.held_since ? { since: row.held_since.toISOString() } : {}),
    active: row.hold_active === true,
    message: `${held} stops that nobody was seen asking for wait for an operator, ${denied} were denied; release or deny them`,
  };
}

function overBudgetOf(row: ClusterRow, since: Date): NonNullable<ClusterView['overBudget']> {
  const waiting = Number(row.deferred);
  return {
    waiting,
    since: since.toISOString(),
    message: `its agent sends more than the cluster's budget; ${waiting} pods or inventories are asked for again as soon as there is room`,
  };
}

const UNPROVEN =
  'whoever can write to its topic can say how its pods are: this ends by itself once no control plane of an older version has been there for 10 minutes';

function stateOf(row: ClusterRow, now: number): ClusterView['state'] {
  if (row.unregistered_at !== null) return 'unregistered';
  if (row.joined_at === null) return 'registered';
  return row.session_renewed_at !== null && now - row.session_renewed_at.getTime() < SESSION_SILENT_MS
    ? 'connected'
    : 'silent';
}

function sessionOf(row: ClusterRow): ClusterView['session'] {
  const { session_agent_id: agentId, session_started_at: startedAt, session_renewed_at: renewedAt } = row;
  if (agentId === null || startedAt === null || renewedAt === null || row.unregistered_at !== null) return undefined;
  return {
    epoch: Number(row.epoch),
    agentId,
    ...(row.agent_version === null ? {} : { agentVersion: row.agent_version }),
    ...(row.node_name === null ? {} : { nodeName: row.node_name }),
    startedAt: startedAt.toISOString(),
    renewedAt: renewedAt.toISOString(),
  };
}
