import { importJWK, SignJWT } from 'jose';
import { SESSION_PROBLEMS, type SessionResponse } from '#libs/contracts';
import type { Logger } from '#libs/observability';
import { backoffMs, Loop, type Clock, type Ids, type LoopStep, type Random } from '#libs/runtime';
import { ControlPlaneRefusal, reasonOf, type ControlPlaneClient } from './control-plane-client.ts';
import type { Identity, IdentityStore } from './identity-store.ts';

/**
 * `joining`, `connecting`: no session yet. `live`: the control plane answered the last time. `away`: it does not answer, the last session
 * is still used. `superseded`: a newer agent of this cluster took over; final. `refused`, `revoked`: it answers, and says no.
 */
export type SessionState = 'joining' | 'connecting' | 'live' | 'away' | 'superseded' | 'revoked' | 'refused';

export interface SessionStatus {
  readonly state: SessionState;
  /** For people: what is wrong, and what to do. */
  readonly detail: string;
  /** Epoch milliseconds of the last change of state. */
  readonly since: number;
}

interface EnvelopeKeyInForce {
  readonly kid: string;
  readonly key: Uint8Array;
}

interface SessionOptions {
  readonly client: Pick<ControlPlaneClient, 'join' | 'session' | 'answeredAt'>;
  readonly identities: Pick<IdentityStore, 'load' | 'joined' | 'renew' | 'fingerprint'>;
  readonly joinToken: string | undefined;
  readonly nodeName: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: Ids;
  readonly logger: Logger;
  /** The first session, and every one with another epoch. */
  readonly onSession: (session: SessionResponse) => void;
  /** Every answer; `askedAt`: when it was asked for, by the monotonic clock. Comes after `onSession`. */
  readonly onAnswer: (session: SessionResponse, askedAt: number) => void;
  readonly onStatus: (status: SessionStatus) => void;
}

const ASSERTION_SECONDS = 120;
/** Clocks that differ by less are as good as right: answers take time, and tell it to the second. */
const CLOCKS_AGREE_MS = 20_000;

/**
 * Joins once, then holds the session: the newest agent wins, a superseded one learns it at its next renewal and never asks again, so that two
 * agents do not fight for ever. A control plane that is away changes nothing: the last session goes on, and it is asked again with jitter.
 */
export class Session {
  private readonly options: SessionOptions;
  private readonly agentId: string;
  private readonly loop: Loop;
  private identity: Identity | undefined;
  private fingerprint: string | undefined;
  private current: SessionResponse | undefined;
  private status_: SessionStatus;
  private failures = 0;
  private tokenSpent = false;
  /** By how much our clock is ahead of the control plane's, whose times are in assertions, tokens and keys. */
  private aheadMs = 0;

  constructor(options: SessionOptions) {
    this.options = options;
    this.agentId = options.ids.uuid();
    this.status_ = { state: 'joining', detail: 'not joined yet', since: options.clock.now() };
    this.loop = new Loop({
      name: 'session',
      clock: options.clock,
      random: options.random,
      idleMs: 30_000,
      step: () => this.step(),
      onError: (error) => options.logger.error('the session loop failed', { error }),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  get status(): SessionStatus {
    return this.status_;
  }

  /** Asks for the session once more, now. */
  askAgain(): void {
    this.loop.nudge();
  }

  /** May this agent speak? Not when another one took over, nor when the cluster was revoked. */
  get speaking(): boolean {
    const { state } = this.status_;
    return this.current !== undefined && (state === 'live' || state === 'away');
  }

  get session(): SessionResponse | undefined {
    return this.current;
  }

  /** The newest envelope key that may be used now. */
  envelopeKey(): EnvelopeKeyInForce | undefined {
    const now = this.theirNow();
    const usable = (this.current?.envelopeKeys ?? [])
      .filter((k) => Date.parse(k.notBefore) <= now && now < Date.parse(k.notAfter))
      .sort((a, b) => Date.parse(b.notBefore) - Date.parse(a.notBefore));
    const newest = usable[0];
    return newest && { kid: newest.kid, key: Buffer.from(newest.key, 'base64url') };
  }

  /** For Kafka's OAUTHBEARER; `expiresAt` by our clock. Throws when there is no valid token, which ends the connection attempt. */
  accessToken(): { readonly value: string; readonly expiresAt: number } {
    const session = this.current;
    const expiresAt = Date.parse(session?.accessTokenExpiresAt ?? '');
    if (!session || !this.speaking || expiresAt <= this.theirNow()) {
      this.loop.nudge();
      throw new Error(`there is no valid access token: the session is ${this.status_.state}`);
    }
    return { value: session.accessToken, expiresAt: expiresAt + this.aheadMs };
  }

  private async step(): Promise<LoopStep> {
    if (this.status_.state === 'superseded') return 'idle';
    try {
      const identity = await this.join();
      if (identity.cluster) await this.renew({ ...identity, cluster: identity.cluster });
      this.failures = 0;
      this.compareClocks();
      const renewMs = this.current!.renewAfterSeconds * 1000;
      return Math.round(renewMs * (0.9 + this.options.random.next() * 0.1));
    } catch (error) {
      if (await this.joinsAnew(error)) return 'busy';
      this.failures += 1;
      this.fail(error);
      this.compareClocks();
      // A refusal is answered by people, an outage by time; neither is hurried.
      const capMs = this.status_.state === 'away' || this.status_.state === 'connecting' ? 15_000 : 30_000;
      return 500 + backoffMs(this.failures, { baseMs: 1_000, capMs }, this.options.random);
    }
  }

  private async join(): Promise<Identity> {
    const { identities, joinToken, logger } = this.options;
    this.identity ??= await identities.load();
    this.fingerprint ??= await identities.fingerprint();
    if (this.identity.cluster) return this.identity;
    if (joinToken === undefined) {
      throw new ControlPlaneRefusal(
        0,
        SESSION_PROBLEMS.unknownToken,
        'this cluster has not joined: register it and set JOIN_TOKEN',
      );
    }
    const joined = await this.joinWith(joinToken, this.identity, this.fingerprint).catch(async (error: unknown) => {
      if (!(error instanceof ControlPlaneRefusal) || error.type !== SESSION_PROBLEMS.retiredKey) throw error;
      logger.warn('the key of this agent was retired; it joins with a new one');
      this.identity = await identities.renew();
      return this.joinWith(joinToken, this.identity, this.fingerprint!);
    });
    const cluster = { id: joined.clusterId, audience: joined.audience };
    await identities.joined(cluster);
    this.tokenSpent = true;
    this.identity = { ...this.identity, cluster };
    logger.info('joined the fleet', { clusterId: cluster.id });
    return this.identity;
  }

  private joinWith(token: string, { publicKey }: Identity, clusterFingerprint: string) {
    return this.options.client.join({ token, publicKey: { ...publicKey }, clusterFingerprint });
  }

  /**
   * The control plane does not know this cluster, or no longer: it was registered anew, or the control plane is another one. A join token that
   * was never used here is an operator's wish to join again; a spent one (it stays in the environment) changes nothing.
   */
  private async joinsAnew(error: unknown): Promise<boolean> {
    const { joinToken, logger } = this.options;
    const former = this.identity;
    if (!(error instanceof ControlPlaneRefusal) || !former?.cluster || joinToken === undefined || this.tokenSpent)
      return false;
    if (error.status !== 401 && error.status !== 404 && error.type !== SESSION_PROBLEMS.revoked) return false;
    this.identity = { ...former, cluster: undefined };
    try {
      await this.join();
      logger.warn('joined anew: the control plane did not know the cluster of before', { before: former.cluster.id });
      this.current = undefined;
      return true;
    } catch (refusal) {
      // A new key is stored by now, and perhaps known: whatever became of this try, the next one is with it.
      if (this.identity?.publicKey.kid === former.publicKey.kid) this.identity = former;
      this.tokenSpent = refusal instanceof ControlPlaneRefusal && refusal.status >= 400 && refusal.status < 500;
      return false;
    }
  }

  private async renew({
    privateKey,
    publicKey,
    cluster,
  }: Identity & { cluster: { id: string; audience: string } }): Promise<void> {
    const { client, ids, nodeName, agentVersion } = this.options;
    const now = Math.floor(this.theirNow() / 1000);
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', ...(publicKey.kid === undefined ? {} : { kid: publicKey.kid }) })
      .setIssuer(cluster.id)
      .setSubject(cluster.id)
      .setAudience(cluster.audience)
      .setIssuedAt(now)
      .setExpirationTime(now + ASSERTION_SECONDS)
      .setJti(ids.uuid())
      .sign(await importJWK(privateKey, 'ES256'));
    const askedAt = this.options.clock.monotonic();
    const session = await client.session({
      assertion,
      clusterFingerprint: this.fingerprint!,
      agentId: this.agentId,
      ...(this.current === undefined ? {} : { renewEpoch: this.current.agentEpoch }),
      agentVersion,
      nodeName,
    });
    const isNew = this.current?.agentEpoch !== session.agentEpoch;
    this.current = session;
    this.say('live', `epoch ${session.agentEpoch}`);
    if (isNew) this.options.onSession(session);
    this.options.onAnswer(session, askedAt);
  }

  private theirNow(): number {
    return this.options.clock.now() - this.aheadMs;
  }

  /** A clock that is wrong is no reason to be refused: the next call tells the time as the control plane does. Pods' times stay the cluster's. */
  private compareClocks(): void {
    const { client, clock, logger } = this.options;
    if (client.answeredAt === undefined) return;
    const aheadMs = clock.now() - client.answeredAt;
    if (Math.abs(aheadMs - this.aheadMs) < CLOCKS_AGREE_MS) return;
    this.aheadMs = Math.abs(aheadMs) < CLOCKS_AGREE_MS ? 0 : aheadMs;
    const message = 'the clock of this machine differs from the control plane’s: set both right';
    if (this.aheadMs === 0) logger.info('the clocks of this machine and of the control plane agree again');
    else logger.warn(message, { aheadSeconds: Math.round(aheadMs / 1000) });
  }

  private fail(error: unknown): void {
    const reason = reasonOf(error);
    const type = error instanceof ControlPlaneRefusal ? error.type : '';
    switch (type) {
      case SESSION_PROBLEMS.superseded:
        this.say(
          'superseded',
          'a newer agent of this cluster has the session; this one has stopped. End one of the two',
        );
        return;
      case SESSION_PROBLEMS.revoked:
        // The next try opens a new session, should an operator let the cluster in again.
        this.current = undefined;
        this.say('revoked', reason);
        return;
      case SESSION_PROBLEMS.fingerprint:
        this.current = undefined;
        this.say(
          'refused',
          `${reason}. This key belongs to another cluster: delete Secret eci-fleet-agent and join anew`,
        );
        return;
      case SESSION_PROBLEMS.unknownToken:
        this.say('refused', reason);
        return;
      default: {
        const refused =
          error instanceof ControlPlaneRefusal && error.status >= 400 && error.status < 500 && error.status !== 429;
        if (this.current) this.say('away', reason);
        else this.say(refused ? 'refused' : 'connecting', reason);
      }
    }
  }

  private say(state: SessionState, detail: string): void {
    if (this.status_.state === state && this.status_.detail === detail) return;
    const changed = this.status_.state !== state;
    this.status_ = { state, detail, since: changed ? this.options.clock.now() : this.status_.since };
    if (changed) {
      const log = state === 'live' ? 'info' : state === 'joining' || state === 'connecting' ? 'warn' : 'error';
      this.options.logger[log](`the session is ${state}`, { detail });
    }
    this.options.onStatus(this.status_);
  }
}
