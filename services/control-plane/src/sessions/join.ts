import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import type { JoinRequest, JoinResponse } from '#libs/contracts';
import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { ClusterChanges } from '../clusters/cluster-changes.ts';
import type { ClusterDirectory } from '../clusters/cluster-directory.ts';
import { endAgentKey } from '../clusters/standings.ts';
import { hashOfToken } from '../clusters/registration.ts';
import { invalid, Refusal } from '../answers/refusal.ts';
import type { EnvelopeKeys } from '../keys/envelope-keys.ts';
import type { ClusterTopics } from '../publish/cluster-topics.ts';
import { agentActor } from '../operators/acting.ts';

/** Whom an agent's assertions must be made for. */
export const audienceOf = (fleet: string): string => `urn:eci-fleet:control-plane:${fleet}`;

export const fingerprintMismatch = (clusterId: string): Refusal =>
  new Refusal(
    'cluster-fingerprint-mismatch',
    `cluster ${clusterId} is known by another UID of namespace kube-system: register this cluster for itself`,
  );

export const revoked = (clusterId: string): Refusal =>
  new Refusal('cluster-revoked', `cluster ${clusterId} was unregistered: its agent may do nothing any more`);

/**
 * An agent's first call: it trades the one-time token for the right to speak with the key it brings. The same key may repeat the call, so a
 * crash after it burns nothing. A cluster's first join fixes its fingerprint for ever; a later token replaces the key, never the fingerprint, and
 * with the key ends everything that was given for it. With the same key it ends nothing.
 */
export class AgentJoin {
  private readonly changes: ClusterChanges;
  private readonly clock: Clock;
  private readonly fleet: string;
  private readonly logger: Logger;
  private readonly keys: EnvelopeKeys;
  private readonly topics: ClusterTopics;
  private readonly directory: ClusterDirectory;

  constructor(parts: {
    readonly changes: ClusterChanges;
    readonly clock: Clock;
    readonly fleet: string;
    readonly logger: Logger;
    readonly keys: EnvelopeKeys;
    readonly topics: ClusterTopics;
    readonly directory: ClusterDirectory;
  }) {
    this.changes = parts.changes;
    this.clock = parts.clock;
    this.fleet = parts.fleet;
    this.logger = parts.logger;
    this.keys = parts.keys;
    this.topics = parts.topics;
    this.directory = parts.directory;
  }

  async join(request: JoinRequest): Promise<JoinResponse> {
    const { publicKey, thumbprint } = await acceptedKey(request.publicKey);
    const { clusterId, generation } = await this.redeem(request, publicKey, thumbprint);
    this.directory.forget(clusterId);
    this.keys.forget(clusterId);
    // Not in the transaction: Kafka may be away, and the agent repeats the call until all of it is done.
    await this.topics.prepare(clusterId);
    if ((await this.keys.forCluster(clusterId, generation)) === undefined)
      throw unknownToken('while this agent joined, another did with another key, or the cluster was unregistered');
    return { clusterId, audience: audienceOf(this.fleet) };
  }

  private redeem(request: JoinRequest, publicKey: JWK, thumbprint: string): Promise<Joined> {
    const hash = hashOfToken(request.token);
    return this.changes.inTransaction(async (client, tell) => {
      const now = new Date(this.clock.now());
      const { rows: tokens } = await client.query<{ cluster_id: string; expires_at: Date; used_by: string | null }>(
        'select cluster_id, expires_at, used_by from fleet.join_token where token_hash = $1 for update',
        [hash],
      );
      const [token] = tokens;
      if (token === undefined) throw unknownToken('this join token is not known, or was replaced by a newer one');
      if (token.used_by !== null && token.used_by !== thumbprint)
        throw unknownToken('this join token was used by another agent');
      if (token.used_by === null && token.expires_at <= now) throw unknownToken('this join token has expired');

      const cluster = (await this.changes.hold(client, token.cluster_id))!;
      if (cluster.unregistered_at !== null) throw revoked(cluster.id);
      if (cluster.fingerprint !== null && cluster.fingerprint !== request.clusterFingerprint)
        throw fingerprintMismatch(cluster.id);
      if (token.used_by !== null) {
        // A repeat is only that: it must not bring back a key that a later join has replaced.
        if (cluster.key_thumbprint !== thumbprint)
          throw unknownToken('this join token is spent, and the key it was used with was replaced since');
        return { clusterId: cluster.id, generation: cluster.key_generation };
      }
      const { rowCount: retired } = await client.query(
        'select from fleet.retired_agent_key where cluster_id = $1 and thumbprint = $2',
        [cluster.id, thumbprint],
      );
      if (retired !== 0) throw retiredKey(cluster.id);
      await client.query('update fleet.join_token set used_by = $2, used_at = $3 where token_hash = $1', [
        hash,
        thumbprint,
        now,
      ]);
      const replaces = cluster.key_thumbprint !== null && cluster.key_thumbprint !== thumbprint;
      if (replaces) await endAgentKey(client, cluster, now);
      await client.query(
        `update fleet.cluster set fingerprint = $2, public_key = $3, key_thumbprint = $4, joined_at = coalesce(joined_at, $5) where id = $1`,
        [cluster.id, request.clusterFingerprint, JSON.stringify(publicKey), thumbprint, now],
      );
      const generation = cluster.key_generation + (replaces ? 1 : 0);
      const key = { keyThumbprint: thumbprint, keyGeneration: generation };
      const { clusterFingerprint: fingerprint } = request;
      await tell(cluster.id, cluster, [{ type: 'Join', fingerprint, ...key }], agentActor(cluster.id));
      this.logger.info('join a cluster done', {
        clusterId: cluster.id,
        keyThumbprint: thumbprint,
        again: cluster.joined_at !== null,
        replaces,
      });
      return { clusterId: cluster.id, generation };
    });
  }
}

interface Joined {
  readonly clusterId: string;
  /** Of the key that the agent joined with. */
  readonly generation: number;
}

const retiredKey = (clusterId: string): Refusal =>
  new Refusal(
    'agent-key-retired',
    `this key of cluster ${clusterId} was replaced or taken away: join with a new one (delete Secret eci-fleet-agent and start the agent); the token is not spent`,
  );

const unknownToken = (why: string): Refusal =>
  new Refusal('join-token-unknown', `${why}: ask for a new one with POST /api/v1/clusters/{id}/join-token`);

async function acceptedKey(jwk: Record<string, unknown>): Promise<{ publicKey: JWK; thumbprint: string }> {
  const { kty, crv, x, y } = jwk;
  if (kty !== 'EC' || crv !== 'P-256' || typeof x !== 'string' || typeof y !== 'string') {
    throw invalid([{ pointer: '/publicKey', detail: 'must be a public EC P-256 key as a JWK (kty, crv, x, y)' }]);
  }
  if ('d' in jwk)
    throw invalid([
      { pointer: '/publicKey/d', detail: 'is the private half: make a new key pair, and send the public half only' },
    ]);
  const publicKey: JWK = { kty, crv, x, y };
  try {
    await importJWK(publicKey, 'ES256');
  } catch {
    throw invalid([{ pointer: '/publicKey', detail: 'is not a point on P-256' }]);
  }
  return { publicKey, thumbprint: await calculateJwkThumbprint(publicKey) };
}
