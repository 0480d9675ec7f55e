import {
  asSqlClient,
  createPool,
  databaseMayCome,
  PostgresCatalogue,
  PostgresEffectQueue,
  PostgresEventStore,
  PostgresGateQueue,
  PostgresTimerQueue,
  PostgresTransactions,
  WakeUp,
} from '#libs/event-store';
import { AlibabaEciClients, type EciClients } from '#libs/eci';
import { MessagingError, type Messaging } from '#libs/messaging';
import { AsideItems, createLogger, Metrics, type Logger } from '#libs/observability';
import { SystemClock, SystemIds, SystemRandom, type Clock } from '#libs/runtime';
import { migrate } from '#migrations';
import { AccountChanges } from './accounts/account-changes.ts';
import { AccountDesk } from './accounts/account-desk.ts';
import { AccountDirectory } from './accounts/account-directory.ts';
import { AccountEndpoints } from './accounts/account-endpoints.ts';
import { Credentials } from './accounts/credentials.ts';
import { ObservedEciClients } from './accounts/observed-eci.ts';
import { AppModule } from './app.module.ts';
import { publicAuditKey } from './audit/audit-key.ts';
import { SealReader } from './audit/read-seals.ts';
import { ClusterChanges } from './clusters/cluster-changes.ts';
import { ClusterDirectory } from './clusters/cluster-directory.ts';
import { ClusterReader } from './clusters/clusters.ts';
import { Standings } from './clusters/standings.ts';
import { sweepRights } from './clusters/sweep-rights.ts';
import { ClusterRegistration } from './clusters/registration.ts';
import type { ControlPlaneConfig } from './config.ts';
import type { Role } from './config/fleet.ts';
import { EventFeed } from './container-groups/event-feed.ts';
import { StreamFinder } from './container-groups/find-stream.ts';
import { readModelDataSource } from './data-source.ts';
import { ConsumerLag } from './health/consumer-lag.ts';
import { FleetMetrics } from './health/fleet-metrics.ts';
import { MeasuredEventStore } from './health/measured-store.ts';
import { Readiness } from './health/readiness.ts';
import { startHousekeeping } from './housekeeping.ts';
import { HoldDesk } from './holds/hold-desk.ts';
import { HoldReader } from './holds/hold-reader.ts';
import { IdempotencyInterceptor } from './http/idempotency.ts';
import { Operators } from './http/operators.ts';
import { startServer } from './http/server.ts';
import { ShedReads } from './http/shed-reads.ts';
import { SignedCursors } from './http/signed-cursors.ts';
import { kafkaMessaging } from './kafka.ts';
import { DisplayKeys } from './keys/display-keys.ts';
import { EnvelopeKeys } from './keys/envelope-keys.ts';
import { hidesTexts } from './keys/hides-texts.ts';
import { MasterKey } from './keys/master-key.ts';
import { PROVEN_SPEAKER, StatusKeys } from './keys/status-keys.ts';
import { StreamVault } from './keys/stream-vault.ts';
import { OrphanDecisions } from './orphans/decide-orphan.ts';
import { OrphanReader } from './orphans/orphan-reader.ts';
import { OrphanStreams } from './orphans/orphan-streams.ts';
import type { Parts } from './parts.ts';
import type { RunningRole } from './running-role.ts';
import { ClusterCommands } from './publish/cluster-commands.ts';
import { ClusterVoice } from './publish/cluster-voice.ts';
import { fleetTopics } from './publish/fleet-topics.ts';
import { ClusterTopicRefill } from './publish/refill.ts';
import { ClusterTopics } from './publish/cluster-topics.ts';
import { AgentQuotas, quotaOfAgents, startQuotaKeeper } from './publish/agent-quotas.ts';
import { ProvenTopics, startProvenTopics } from './publish/proven-topics.ts';
import { startTopicKeeper } from './publish/topic-keeper.ts';
import { PodStatusPublisher } from './publish/pod-status.ts';
import { PostgresInventories } from './intake/postgres-inventories.ts';
import { QuarantineReader } from './quarantine/list-quarantine.ts';
import { Quarantine } from './quarantine/quarantine.ts';
import { ROLE_STARTERS } from './role-starters.ts';
import { AccessTokens } from './sessions/access-tokens.ts';
import { AgentJoin } from './sessions/join.ts';
import { AgentSessions } from './sessions/session.ts';
import { StrangersLimit } from './sessions/strangers-limit.ts';
import { PROJECTIONS } from './projections.ts';
import { PromptEventStore } from './streams/prompt-store.ts';
import { HidingEventStore } from './streams/hiding-store.ts';
import { StreamCommands } from './streams/stream-commands.ts';
import { waitFor } from './wait-for.ts';

interface ControlPlaneOptions {
  /** Default: Kafka, as configured. One that is given is not closed by `stop`. */
  readonly messaging?: Messaging;
  readonly logger?: Logger;
  /** Default: Alibaba's SDK with the configured accounts. */
  readonly eciClients?: EciClients;
  readonly clock?: Clock;
  /** Ends the waiting of a start. */
  readonly signal?: AbortSignal;
}

export interface ControlPlane {
  /** Where the API answers. */
  readonly url: string;
  /** Answers open requests, finishes what was claimed, and leaves. */
  stop(): Promise<void>;
}

/**
 * Starts the roles of the configuration in this process. Waits for PostgreSQL and Kafka, and says so once a minute; the API answers as soon as
 * PostgreSQL does. Resolves when every role runs.
 */
export async function startControlPlane(
  config: ControlPlaneConfig,
  options: ControlPlaneOptions = {},
): Promise<ControlPlane> {
  const { clock = new SystemClock(), signal = new AbortController().signal } = options;
  const logger = options.logger ?? createLogger({ level: config.logLevel, service: 'control-plane' });
  const random = new SystemRandom();
  const ids = new SystemIds();
  const metrics = new Metrics();
  // Undone from the last to the first, whether the start fails half-way or the process stops.
  const undo: (() => Promise<unknown>)[] = [];
  const undoAll = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => logger.warn('a step of stopping failed', { error }));
    }
  };

  try {
    for (const { setting, host, why, allowedBy } of config.insecureTransports)
      logger.warn('a transport is not secure, as allowed', { setting, host, why, allowedBy });
    const waiting = { clock, logger, signal };
    if (config.migrate)
      await waitFor(() => migrate(config.databaseUrl), { ...waiting, what: 'PostgreSQL', passing: databaseMayCome });

    // Loops that miss the database say so; a server that restarted takes twenty of these with it.
    const onIdleError = (error: Error): void => logger.debug('an idle connection to PostgreSQL was lost', { error });
    const pool = createPool(config.databaseUrl, { max: config.databasePoolSize, onIdleError });
    const quarter = Math.max(2, Math.ceil(config.databasePoolSize / 4));
    undo.push(() => pool.end());
    await waitFor(() => pool.query('select 1 from fleet.cluster limit 1'), {
      ...waiting,
      what: 'PostgreSQL',
      passing: databaseMayCome,
    });
    const dataSource = await readModelDataSource(config.databaseUrl, quarter).initialize();
    undo.push(() => dataSource.destroy());

    const jitter = (): number => random.next();
    const postgresStore = new PostgresEventStore(pool, { jitter });
    const effects = new PostgresEffectQueue(pool);
    const wakeUp = new WakeUp({
      databaseUrl: config.databaseUrl,
      applicationName: PROVEN_SPEAKER,
      appended: postgresStore.appended,
      clock,
      random,
      onError: (error) => logger.debug('the connection for wake-ups was lost', { error }),
    });
    wakeUp.start();
    undo.push(() => wakeUp.stop());

    const tokens = await AccessTokens.open({
      tokenKey: config.tokenKey,
      fleet: config.fleet,
      issuer: config.tokenIssuer,
      audience: config.tokenAudience,
      clock,
    });
    const connection =
      options.messaging ?? kafkaMessaging(config, () => tokens.tokenOfControlPlane(), { clock, random, logger });
    if (options.messaging === undefined) undo.push(() => connection.close());
    const consumerLag = new ConsumerLag({ clock, metrics });
    const messaging = consumerLag.measured(connection);

    const masterKey = new MasterKey(config.masterKey);
    const hides = await hidesTexts(config.displayKeys.setting, pool);
    const stored = new PromptEventStore({
      inner: new MeasuredEventStore(postgresStore, metrics),
      projections: PROJECTIONS,
      transactions: new PostgresTransactions(pool),
      logger,
    });
    const store = new HidingEventStore({
      inner: stored,
      vault: new StreamVault(masterKey, 'display-key'),
      hides,
      clock,
    });
    const displayKeys = new DisplayKeys({ store, retentionMs: config.displayKeys.retentionMs, clock });
    const envelopeKeys = new EnvelopeKeys({ pool, masterKey, clock });
    const statusKeys = new StatusKeys({ pool, masterKey, clock });
    const voice = new ClusterVoice({ messaging, keys: statusKeys, fleet: config.fleet });
    const clusters = new ClusterDirectory({ pool, clock });
    const credentials = new Credentials({
      configured: config.accounts.credentials,
      variable: config.variable,
      now: () => clock.now(),
      caFile: config.accounts.caFile,
    });
    const endpoints = new AccountEndpoints({ override: config.accounts.endpoint, listed: config.accounts.endpoints });
    const accounts = new AccountDirectory({
      pool,
      clock,
      effects,
      credentials,
      endpoints,
      configured: config.accounts.accounts,
      logger,
    });
    const accountChanges = new AccountChanges({ pool, clock, ids });
    await accounts.configure(accountChanges);
    const eci = new ObservedEciClients({
      inner: options.eciClients ?? new AlibabaEciClients((id) => accounts.find(id), { caFile: config.accounts.caFile }),
      metrics,
      accounts,
      logger,
    });
    const statuses = new PodStatusPublisher({
      store,
      voice,
      directory: clusters,
      aside: new AsideItems({ loop: 'statuses', clock, logger, metrics }),
    });
    const refill = new ClusterTopicRefill({ pool, statuses });
    const provenTopics = new ProvenTopics({
      keys: statusKeys,
      refill: (clusterId) => refill.refill(clusterId),
      clock,
      random,
      logger,
      metrics,
    });
    const quotas = new AgentQuotas({
      pool,
      messaging,
      fleet: config.fleet,
      wanted: quotaOfAgents(config.kafka),
      clock,
      random,
      logger,
      metrics,
    });
    const standings = new Standings(pool);
    const clusterTopics = new ClusterTopics({
      messaging,
      fleet: config.fleet,
      standing: (clusterId) => standings.of(clusterId),
      refill: (clusterId) => provenTopics.fill(clusterId, 'even if another does'),
      prove: (clusterId) => provenTopics.settle(clusterId),
      quotas,
    });
    const parts: Parts = {
      config,
      clock,
      random,
      ids,
      logger,
      metrics,
      pool,
      dataSource,
      store,
      stored,
      appended: postgresStore.appended,
      effects,
      gates: new PostgresGateQueue(pool, { jitter }),
      timers: new PostgresTimerQueue(pool),
      messaging,
      eci,
      streams: new StreamCommands({ store, clock, ids }),
      vault: new StreamVault(masterKey),
      masterKey,
      envelopeKeys,
      accounts,
      clusters,
      quarantine: new Quarantine({ pool, clock, limits: config.quarantine }),
      commands: new ClusterCommands({ voice, directory: clusters }),
      topics: clusterTopics,
      statuses,
    };

    // Anybody may call for a session, and wait for connections: nobody else's.
    const agentPool = createPool(config.databaseUrl, {
      max: quarter,
      applicationName: 'eci-fleet agents',
      onIdleError,
    });
    undo.push(() => agentPool.end());
    const clusterChanges = new ClusterChanges({ pool, clock, ids });
    const agentChanges = new ClusterChanges({ pool: agentPool, clock, ids });
    const sessions = new AgentSessions({
      pool: agentPool,
      changes: agentChanges,
      clock,
      fleet: config.fleet,
      logger,
      metrics,
      keys: envelopeKeys,
      statusKeys,
      tokens,
      topics: clusterTopics,
      directory: clusters,
      sealsPods: hides,
      kafka: {
        brokers: [...config.kafka.brokersForAgents],
        security: config.kafka.securityForAgents,
        tls: config.kafka.tlsForAgents,
      },
    });
    const idempotency = new IdempotencyInterceptor({ pool, masterKey, clock });
    const orphanReader = new OrphanReader({ pool, prices: config.prices });
    const readiness = new Readiness({
      pool,
      messaging,
      clock,
      random,
      metrics,
      insecureTransports: config.insecureTransports,
    });
    undo.push(() => readiness.close());
    const operators = new Operators({ adminToken: config.http.adminToken, clock, logger, metrics });
    const server = await startServer({
      module: AppModule.with(
        {
          store,
          dataSource,
          accounts,
          accountDesk: new AccountDesk({
            pool,
            changes: accountChanges,
            clock,
            accounts,
            credentials,
            endpoints,
            logger,
          }),
          clusterReader: new ClusterReader({ pool, clock }),
          registration: new ClusterRegistration({
            pool,
            changes: clusterChanges,
            clock,
            keys: envelopeKeys,
            topics: clusterTopics,
            directory: clusters,
          }),
          feed: new EventFeed({ store: stored, catalogue: new PostgresCatalogue(asSqlClient(pool)) }),
          finder: new StreamFinder({ store, pool }),
          displayKeys,
          quarantineReader: new QuarantineReader(pool),
          holdReader: new HoldReader(pool),
          holdDesk: new HoldDesk(pool),
          orphanReader,
          orphanDecisions: new OrphanDecisions({ reader: orphanReader, streams: new OrphanStreams(parts) }),
          sealReader: new SealReader({ pool, key: config.auditKey && publicAuditKey(config.auditKey) }),
          join: new AgentJoin({
            changes: agentChanges,
            clock,
            fleet: config.fleet,
            logger,
            keys: envelopeKeys,
            topics: clusterTopics,
            directory: clusters,
          }),
          sessions,
          strangersLimit: new StrangersLimit({ clock, logger, metrics }),
          fleetMetrics: new FleetMetrics({
            metrics,
            clock,
            logger,
            readLag: () => postgresStore.lag(),
            readDepth: () => effects.depth(),
            refreshOwn: () => consumerLag.refresh(),
          }),
          readiness,
          operators,
        },
        { api: config.roles.includes('api') },
      ),
      http: config.http,
      clock,
      logger,
      metrics,
      operators,
      idempotency,
      shedReads: new ShedReads({ connections: config.databasePoolSize, clock, metrics }),
      signedCursors: new SignedCursors(masterKey),
    });
    undo.push(() => server.close());
    logger.info('listen', { url: server.url, roles: config.roles });

    await waitFor(() => messaging.ensureTopics(fleetTopics(config)), {
      ...waiting,
      what: 'Kafka',
      passing: (error) => error instanceof MessagingError && error.code === 'unavailable',
    });

    const running = new Map<string, RunningRole>();
    undo.push(() => Promise.all([...running.values()].map((role) => role.stop())));
    for (const role of config.roles) {
      const start = ROLE_STARTERS[role];
      if (start) running.set(role, await start(parts));
    }
    running.set(
      'housekeeping',
      startHousekeeping(parts, [
        { name: 'partitions', run: () => postgresStore.makePartitions().then(() => 0) },
        { name: 'envelope-keys', run: () => envelopeKeys.destroyExpired() },
        { name: 'old-status-keys', run: () => statusKeys.destroyOld() },
        { name: 'display-keys', run: () => displayKeys.eraseDue() },
        { name: 'kafka-rights', run: () => sweepRights({ messaging, standings, fleet: config.fleet }) },
        { name: 'assertions', run: () => sessions.forgetOldAssertions() },
        { name: 'inventory-parts', run: () => new PostgresInventories({ pool, clock }).forgetOldParts() },
        { name: 'untold-accounts', run: () => accountChanges.tellUntold() },
        { name: 'untold-clusters', run: () => clusterChanges.tellUntold() },
        { name: 'quarantine', run: () => parts.quarantine.forgetOld() },
        { name: 'idempotency-keys', run: () => idempotency.forgetOld() },
      ]),
    );
    running.set('topics', startTopicKeeper(parts));
    running.set('quotas', startQuotaKeeper({ ...parts, quotas }));
    running.set('status-keys', startProvenTopics({ ...parts, topics: provenTopics, keys: statusKeys }));
    readiness.started(running);
    logger.info('the control plane runs', {
      url: server.url,
      roles: config.roles satisfies readonly Role[],
      fleet: config.fleet,
    });

    return {
      url: server.url,
      async stop() {
        readiness.stop();
        await undoAll();
      },
    };
  } catch (error) {
    await undoAll();
    throw error;
  }
}
