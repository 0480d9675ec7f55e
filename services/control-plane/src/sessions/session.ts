import type { Pool, PoolClient } from 'pg';
import type { SessionRequest, SessionResponse } from '#libs/contracts';
import { errorMessage, type Logger, type Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { ClusterChanges, TellOfCluster } from '../clusters/cluster-changes.ts';
import type { ClusterDirectory } from '../clusters/cluster-directory.ts';
import type { ClusterRow } from '../clusters/cluster-row.ts';
import { FLAPPING_MS, SESSION_SILENT_MS } from '../clusters/cluster-view.ts';
import { hashOfToken } from '../clusters/registration.ts';
import { Refusal } from '../answers/refusal.ts';
import type { EnvelopeKeys } from '../keys/envelope-keys.ts';
import type { StatusKeys } from '../keys/status-keys.ts';
import type { ClusterTopics } from '../publish/cluster-topics.ts';
import { agentActor } from '../operators/acting.ts';
import type { AccessTokens } from './access-tokens.ts';
import { claimedCluster, notAuthenticated, proveAssertion, type ProvenAssertion } from './assertion.ts';
import { isFlapping } from './flapping.ts';
import { audienceOf, fingerprintMismatch, revoked } from './join.ts';

/** Agents come back this often. */
const RENEW_AFTER_SECONDS = 240;
/** How long an answer waits for Kafka. */
const PREPARE_MS = 3_000;

/**
 * One live session a cluster. A new session supersedes the one before, as a newer producer fences an older; the superseded agent is told at
 * its next renewal. Epochs only grow, across agents and restarts.
 */
export class AgentSessions {
  private readonly parts: SessionParts;
  private readonly flappingTotal;
  private readonly sessions;

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.flappingTotal = parts.metrics.counter(
      'eci_fleet_agent_session_flapping_total',
      'Times that the session of a cluster was seen changing hands over and over',
    );
    this.sessions = parts.metrics.counter('eci_fleet_agent_sessions_total', 'Calls for a session by outcome', [
      'outcome',
    ]);
  }

  /** Begins or renews a session; throws the refusal that says why not. */
  async open(request: SessionRequest): Promise<SessionResponse> {
    try {
      const response = await this.answer(request);
      this.sessions.inc({ outcome: request.renewEpoch === undefined ? 'opened' : 'renewed' });
      return response;
    } catch (error) {
      this.sessions.inc({ outcome: error instanceof Refusal ? error.code : 'failed' });
      throw error;
    }
  }

  private async answer(request: SessionRequest): Promise<SessionResponse> {
    const { clock, fleet, changes, keys, statusKeys, tokens, directory } = this.parts;
    const clusterId = claimedCluster(request.assertion);
    const cluster = await this.authenticated(clusterId, request);
    const epoch = await changes.inTransaction((client, tell) =>
      this.take(client, tell, cluster.row, cluster.proof, request),
    );
    // Neither key nor token outruns the end of what the agent has proven: both hang on its generation.
    const generation = cluster.row.key_generation;
    directory.forget(clusterId);
    if (request.renewEpoch === undefined) await this.prepare(clusterId);
    const [envelopeKeys, proof, access] = await Promise.all([
      keys.forCluster(clusterId, generation),
      statusKeys.forAgent(clusterId, generation),
      tokens.issueForCluster(clusterId, generation),
    ]);
    if (envelopeKeys === undefined || proof.keys.length === 0)
      throw notAuthenticated('the key of this cluster has ended meanwhile');
    return {
      clusterId,
      fleet,
      agentEpoch: epoch,
      accessToken: access.token,
      accessTokenExpiresAt: access.expiresAt,
      renewAfterSeconds: RENEW_AFTER_SECONDS,
      envelopeKeys: envelopeKeys
        .filter((key) => Date.parse(key.notAfter) > clock.now())
        .map((key) => ({
          kid: key.kid,
          key: Buffer.from(key.key).toString('base64url'),
          notBefore: key.notBefore,
          notAfter: key.notAfter,
        })),
      statusKeys: proof.keys.map(({ kid, key }) => ({ kid, key: Buffer.from(key).toString('base64url') })),
      statusesProven: proof.proven,
      kafka: this.parts.kafka,
      sealsPods: this.parts.sealsPods,
    };
  }

  /** The cluster of the caller: its key is that of the join, and it still runs in the Kubernetes cluster that joined. */
  private async authenticated(
    clusterId: string,
    request: SessionRequest,
  ): Promise<{ row: ClusterRow; proof: ProvenAssertion }> {
    const { rows } = await this.parts.pool.query<ClusterRow>('select * from fleet.cluster where id = $1', [clusterId]);
    const [row] = rows;
    const proof = await proveAssertion(request.assertion, {
      clusterId,
      publicKey: row?.public_key ?? null,
      audience: audienceOf(this.parts.fleet),
      now: this.parts.clock.now(),
    }).catch((error: unknown) => {
      this.sayWhy(clusterId, row, error);
      throw error;
    });
    // Only now is anything told of the cluster.
    if (row === undefined) throw new Error(`cluster ${clusterId} was proven, and is not there`);
    if (row.unregistered_at !== null) throw revoked(clusterId);
    if (row.fingerprint !== request.clusterFingerprint) throw fingerprintMismatch(clusterId);
    return { row, proof };
  }

  /** Operators are told what strangers are not. */
  private sayWhy(clusterId: string, row: ClusterRow | undefined, error: unknown): void {
    const why =
      row === undefined
        ? 'it is not there'
        : row.unregistered_at !== null
          ? 'it was unregistered'
          : row.public_key === null
            ? 'it has no key: it has not joined, or its key was taken away'
            : errorMessage(error);
    this.parts.logger.warn('refuse a session of a cluster', { clusterId, why });
  }

  private async take(
    client: PoolClient,
    tell: TellOfCluster,
    proven: ClusterRow,
    proof: ProvenAssertion,
    request: SessionRequest,
  ): Promise<number> {
    const clusterId = proven.id;
    const now = new Date(this.parts.clock.now());
    const cluster = (await this.parts.changes.hold(client, clusterId))!;
    if (cluster.unregistered_at !== null) throw revoked(clusterId);
    if (cluster.key_thumbprint !== proven.key_thumbprint)
      throw notAuthenticated('the key of this cluster was replaced by a newer join');
    const { rowCount } = await client.query(
      'insert into fleet.agent_assertion (cluster_id, jti_hash, expires_at) values ($1, $2, $3) on conflict do nothing',
      // Kept for as long as a tolerant clock would accept it.
      [clusterId, hashOfToken(proof.jti), new Date(proof.expiresAt + 120_000)],
    );
    if (rowCount === 0) throw notAuthenticated('this assertion was used before (`jti`): make a new one for each call');

    const current = Number(cluster.epoch);
    if (request.renewEpoch !== undefined) {
      if (request.renewEpoch !== current || cluster.session_agent_id !== request.agentId)
        throw superseded(clusterId, request.renewEpoch, current);
      await client.query(
        'update fleet.cluster set session_renewed_at = $2, agent_version = $3, node_name = $4 where id = $1',
        [clusterId, now, request.agentVersion, request.nodeName],
      );
      return current;
    }

    const epoch = current + 1;
    await client.query(
      `update fleet.cluster set epoch = $2, session_agent_id = $3, session_started_at = $4, session_renewed_at = $4, agent_version = $5, node_name = $6
       where id = $1`,
      [clusterId, epoch, request.agentId, now, request.agentVersion, request.nodeName],
    );
    await this.watchTakeovers(client, tell, cluster, epoch, request.agentId, now);
    return epoch;
  }

  private async watchTakeovers(
    client: PoolClient,
    tell: TellOfCluster,
    before: ClusterRow,
    epoch: number,
    agentId: string,
    now: Date,
  ): Promise<void> {
    const heldBy = before.session_agent_id;
    const live =
      before.session_renewed_at !== null && now.getTime() - before.session_renewed_at.getTime() < SESSION_SILENT_MS;
    if (heldBy === null || heldBy === agentId || !live) return;
    const takeover = { epoch, agentId, superseded: heldBy };
    await tell(before.id, before, [{ type: 'Supersede', ...takeover }], agentActor(before.id));
    await client.query('delete from fleet.session_takeover where cluster_id = $1 and at < $2', [
      before.id,
      new Date(now.getTime() - FLAPPING_MS),
    ]);
    await client.query(
      'insert into fleet.session_takeover (cluster_id, epoch, agent_id, superseded, at) values ($1, $2, $3, $4, $5)',
      [before.id, epoch, agentId, heldBy, now],
    );
    const { rows } = await client.query<{ agent_id: string }>(
      'select agent_id from fleet.session_takeover where cluster_id = $1 order by epoch',
      [before.id],
    );
    const takers = rows.map((row) => row.agent_id);
    this.parts.logger.info('supersede a session done', { clusterId: before.id, epoch, agentId, superseded: heldBy });
    if (!isFlapping(takers)) return;
    await client.query('update fleet.cluster set flapping_at = $2 where id = $1', [before.id, now]);
    this.flappingTotal.inc();
    this.parts.logger.error('the session of a cluster keeps changing hands: run one agent only', {
      clusterId: before.id,
      takeovers: takers.length,
      agentId,
      superseded: heldBy,
    });
  }

  /**
   * An agent without Kafka still holds its node; so a broker that is away neither refuses the session nor delays it for long. What is not done
   * in time goes on beside, and the next session tries again.
   */
  private async prepare(clusterId: string): Promise<void> {
    const { topics, clock, logger } = this.parts;
    const done = new AbortController();
    const preparing = topics
      .prepare(clusterId)
      .catch((error: unknown) => logger.warn('prepare the topic of a cluster failed', { clusterId, error }))
      .finally(() => done.abort());
    await Promise.race([preparing, clock.sleep(PREPARE_MS, done.signal)]);
  }

  /** Forgets assertions that are too old to be repeated; returns how many. */
  async forgetOldAssertions(): Promise<number> {
    const { rowCount } = await this.parts.pool.query('delete from fleet.agent_assertion where expires_at <= $1', [
      new Date(this.parts.clock.now()),
    ]);
    return rowCount ?? 0;
  }
}

interface SessionParts {
  readonly pool: Pool;
  readonly changes: ClusterChanges;
  readonly clock: Clock;
  readonly fleet: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly keys: EnvelopeKeys;
  readonly statusKeys: Pick<StatusKeys, 'forAgent'>;
  readonly tokens: AccessTokens;
  readonly topics: ClusterTopics;
  readonly directory: ClusterDirectory;
  /** Agents are to seal the pods of their intents. */
  readonly sealsPods: boolean;
  /** What agents are told of Kafka. */
  readonly kafka: SessionResponse['kafka'];
}

const superseded = (clusterId: string, epoch: number, current: number): Refusal =>
  new Refusal(
    'session-superseded',
    `session ${epoch} of cluster ${clusterId} is over: another agent holds session ${current}; stop publishing`,
    { details: { currentEpoch: current } },
  );
