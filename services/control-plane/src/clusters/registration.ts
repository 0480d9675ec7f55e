import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Pool, PoolClient } from 'pg';
import { identifier } from '#libs/contracts';
import type { Clock } from '#libs/runtime';
import { AccountId } from '../accounts/account-settings.ts';
import { conflict, invalid, notFound, stateChanged } from '../answers/refusal.ts';
import type { EnvelopeKeys } from '../keys/envelope-keys.ts';
import type { ClusterTopics } from '../publish/cluster-topics.ts';
import { because, type Acting } from '../operators/acting.ts';
import { Reason } from '../operators/reason.ts';
import type { ClusterChanges } from './cluster-changes.ts';
import { OWN_NAMES } from './principal.ts';
import type { ClusterDirectory } from './cluster-directory.ts';
import type { ClusterRow } from './cluster-row.ts';
import { endAgentKey } from './standings.ts';
import { clusterTag, clusterView, isSameCluster } from './cluster-view.ts';

const JOIN_TOKEN_MS = 3_600_000;

const ClusterId = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'use 1–40 of a-z, 0-9 and -, not at its ends');

export const RegisterClusterBody = z
  .strictObject({
    /** Default: made up. It is part of topics and tags, and never given twice. */
    id: ClusterId.refine((id) => !OWN_NAMES.includes(id), 'is a name of the fleet itself').optional(),
    name: identifier(100).optional(),
    /** Default: the only account there is. */
    accountId: AccountId.optional(),
    reason: Reason,
  })
  .meta({ id: 'RegisterCluster' });
export type RegisterClusterBody = z.infer<typeof RegisterClusterBody>;

export interface JoinToken {
  readonly token: string;
  readonly expiresAt: string;
}

export const hashOfToken = (token: string): Buffer => createHash('sha256').update(token).digest();

/** Clusters come and go: registering hands out the one-time token of the agent, unregistering ends everything that the agent may do. */
export class ClusterRegistration {
  private readonly pool: Pool;
  private readonly changes: ClusterChanges;
  private readonly clock: Clock;
  private readonly keys: EnvelopeKeys;
  private readonly topics: ClusterTopics;
  private readonly directory: ClusterDirectory;

  constructor(parts: {
    readonly pool: Pool;
    readonly changes: ClusterChanges;
    readonly clock: Clock;
    readonly keys: EnvelopeKeys;
    readonly topics: ClusterTopics;
    readonly directory: ClusterDirectory;
  }) {
    this.pool = parts.pool;
    this.changes = parts.changes;
    this.clock = parts.clock;
    this.keys = parts.keys;
    this.topics = parts.topics;
    this.directory = parts.directory;
  }

  async register(
    body: Omit<RegisterClusterBody, 'reason'>,
    by: Acting,
  ): Promise<{ readonly row: ClusterRow; readonly joinToken: JoinToken }> {
    const id = body.id ?? `c-${randomBytes(5).toString('hex')}`;
    const accountId = await this.accountFor(body.accountId);
    const name = body.name ?? id;
    const result = await this.changes.inTransaction(async (client, tell) => {
      const { rows } = await client.query<ClusterRow>(
        `insert into fleet.cluster (id, name, account_id, registered_at) values ($1, $2, $3, $4) on conflict (id) do nothing returning *`,
        [id, name, accountId, new Date(this.clock.now())],
      );
      const [row] = rows;
      if (row === undefined) {
        throw conflict(
          `a cluster ${id} is registered or was; choose another id, or ask for a new join token with POST /api/v1/clusters/${id}/join-token`,
        );
      }
      const joinToken = await this.issue(client, id);
      const { expiresAt } = joinToken;
      await tell(
        id,
        undefined,
        [
          { type: 'Register', name, accountId, ...because(by) },
          { type: 'IssueJoinToken', expiresAt },
        ],
        by.actor,
      );
      return { row, joinToken };
    });
    this.directory.forget(id);
    return result;
  }

  /** A further token, for an agent that lost its key; tokens that nobody used yet end. */
  newToken(clusterId: string, by: Acting): Promise<JoinToken> {
    return this.changes.inTransaction(async (client, tell) => {
      const row = await this.registered(client, clusterId);
      await client.query('delete from fleet.join_token where cluster_id = $1 and used_by is null', [clusterId]);
      const joinToken = await this.issue(client, clusterId);
      const { expiresAt } = joinToken;
      await tell(clusterId, row, [{ type: 'IssueJoinToken', expiresAt, ...because(by) }], by.actor);
      return joinToken;
    });
  }

  /**
   * Takes the agent's key away: its session, access token, envelope keys and rights on Kafka end at once, and it never joins with that key again.
   * What it sent and nobody has read yet is asked for again, once it has joined with a new key and the token that this answers. `stated`: the
   * entity tag under which the cluster was looked at.
   */
  async rotate(clusterId: string, stated: string, by: Acting): Promise<JoinToken> {
    const { token, ended } = await this.changes.inTransaction(async (client, tell) => {
      const row = await this.registered(client, clusterId);
      this.mustBe(stated, row);
      await endAgentKey(client, row, new Date(this.clock.now()));
      await client.query('update fleet.cluster set public_key = null, key_thumbprint = null where id = $1', [
        clusterId,
      ]);
      await client.query('delete from fleet.join_token where cluster_id = $1 and used_by is null', [clusterId]);
      const ended = row.key_generation;
      const token = await this.issue(client, clusterId);
      const { expiresAt } = token;
      await tell(
        clusterId,
        row,
        [
          { type: 'TakeAgentKey', keyGeneration: ended, ...because(by) },
          { type: 'IssueJoinToken', expiresAt },
        ],
        by.actor,
      );
      return { token, ended };
    });
    this.directory.forget(clusterId);
    this.keys.forget(clusterId);
    await this.topics.shutOut(clusterId, ended);
    return token;
  }

  /**
   * Ends session, tokens, rights and keys of the cluster's agent, and removes its topic. Its groups and their history stay. Repeating it is harmless.
   * `stated`: the entity tag under which the cluster was looked at.
   */
  async unregister(clusterId: string, stated: string, by: Acting): Promise<void> {
    const generation = await this.changes.inTransaction(async (client, tell) => {
      const row = await this.known(client, clusterId);
      // A repeat: what is left to do is done below.
      if (row.unregistered_at !== null) return row.key_generation;
      this.mustBe(stated, row);
      const now = new Date(this.clock.now());
      await endAgentKey(client, row, now);
      // The public key stays, so that who holds the private half, and nobody else, is told that the cluster was unregistered.
      await client.query('update fleet.cluster set unregistered_at = $2 where id = $1', [clusterId, now]);
      await client.query('delete from fleet.join_token where cluster_id = $1', [clusterId]);
      await tell(clusterId, row, [{ type: 'Unregister', ...because(by) }], by.actor);
      return row.key_generation;
    });
    this.directory.forget(clusterId);
    this.keys.forget(clusterId);
    await this.topics.remove(clusterId, generation);
  }

  /** Nothing that ends an agent is done to a cluster that the caller has not seen. */
  private mustBe(stated: string, row: ClusterRow): void {
    const now = clusterView(row, this.clock.now());
    if (isSameCluster(stated, now)) return;
    throw stateChanged({
      what: `cluster ${row.id} is not as you saw it: it was registered at ${now.registeredAt} and ${
        now.joinedAt === undefined ? 'has not joined' : `joined at ${now.joinedAt}`
      }`,
      read: `GET /api/v1/clusters/${row.id}`,
      etag: clusterTag(now),
      details: { now: { registeredAt: now.registeredAt, joinedAt: now.joinedAt } },
    });
  }

  private async issue(client: PoolClient, clusterId: string): Promise<JoinToken> {
    const now = this.clock.now();
    const token = `${clusterId}.${randomBytes(32).toString('base64url')}`;
    const expiresAt = new Date(now + JOIN_TOKEN_MS);
    await client.query(
      'insert into fleet.join_token (token_hash, cluster_id, issued_at, expires_at) values ($1, $2, $3, $4)',
      [hashOfToken(token), clusterId, new Date(now), expiresAt],
    );
    return { token, expiresAt: expiresAt.toISOString() };
  }

  private async known(client: PoolClient, clusterId: string): Promise<ClusterRow> {
    const row = await this.changes.hold(client, clusterId);
    if (row === undefined) throw notFound(`there is no cluster ${clusterId}`);
    return row;
  }

  private async registered(client: PoolClient, clusterId: string): Promise<ClusterRow> {
    const row = await this.known(client, clusterId);
    if (row.unregistered_at !== null) throw conflict(`cluster ${clusterId} was unregistered; register a new one`);
    return row;
  }

  private async accountFor(wanted: string | undefined): Promise<string> {
    const { rows } = await this.pool.query<{ id: string }>('select id from fleet.account order by id');
    const ids = rows.map((row) => row.id);
    const known =
      ids.length === 0
        ? 'there is no account yet: add one with POST /api/v1/accounts'
        : `known accounts: ${ids.slice(0, 20).join(', ')}`;
    if (wanted !== undefined) {
      if (ids.includes(wanted)) return wanted;
      throw invalid([{ pointer: '/accountId', detail: `there is no account ${wanted}; ${known}` }]);
    }
    const [only, ...others] = ids;
    if (only === undefined) throw invalid([{ pointer: '/accountId', detail: known }]);
    if (others.length === 0) return only;
    if (ids.includes('default')) return 'default';
    throw invalid([{ pointer: '/accountId', detail: `say which account pays for this cluster; ${known}` }]);
  }
}
