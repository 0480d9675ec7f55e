import type { SessionResponse } from '#libs/contracts';
import { Connection, KubernetesApi, Reflector, resources, type Change, type PodObject } from '#libs/kubernetes';
import type { Messaging } from '#libs/messaging';
import { AsideItems, createLogger, Metrics, type AsideItem, type Logger } from '#libs/observability';
import { SystemClock, SystemIds, SystemRandom, type Clock, type Ids, type Random } from '#libs/runtime';
import type { InsecureTransport } from '#libs/transport';
import type { AgentConfig } from './config.ts';
import { HandOver } from './hand-over.ts';
import { serveHealth } from './health/health-server.ts';
import { AgentHealth, type HealthReport } from './health/agent-health.ts';
import { Commands } from './inventory/commands.ts';
import { Inventories } from './inventory/inventories.ts';
import { Heartbeat } from './node/heartbeat.ts';
import { nodeViewOf } from './node/node-view.ts';
import { VirtualNode } from './node/virtual-node.ts';
import { EventPace } from './events/event-pace.ts';
import { PodEvents } from './events/pod-events.ts';
import { PodIntents } from './pods/pod-intents.ts';
import { ProfileSource } from './profile/profile-source.ts';
import { FleetLink } from './fleet-link.ts';
import { IntentPublisher } from './publish/intent-publisher.ts';
import { ClusterObjects } from './resolve/cluster-objects.ts';
import { Resolver } from './resolve/resolver.ts';
import { ControlPlaneClient } from './session/control-plane-client.ts';
import { IdentityStore } from './session/identity-store.ts';
import { Session, type SessionStatus } from './session/session.ts';
import { ClusterTopicReader } from './status/cluster-topic-reader.ts';
import { StatusBook } from './status/status-book.ts';
import { StatusWriter } from './status/status-writer.ts';
import { WholeTopic } from './status/whole-topic.ts';
import { UnboundPods } from './steering/unbound-pods.ts';
import { Webhook } from './steering/webhook.ts';
import { agentVersion } from './version.ts';

export interface AgentParts {
  /** Default: Kafka, as the session describes it. One that is given is not closed by the agent. */
  readonly messaging?: Messaging;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly ids?: Ids;
  /** Adds the process's own figures to `/metrics`; once per process. */
  readonly collectProcessMetrics?: boolean;
}

export interface RunningAgent {
  /** Where `/healthz` and `/metrics` are. */
  readonly healthUrl: string;
  health(): HealthReport;
  /** Finishes what is on its way, then leaves. The node stays, and its pods with it. */
  stop(): Promise<void>;
}

const FIRST_INVENTORY_WITHIN_MS = 30_000;
const PUBLISHER_GRACE_MS = 2_000;
/** Items of one answer. */
const MOST_ASIDE = 50;

/**
 * Starts the agent of one cluster. It resolves at once: a control plane, a broker or an API server that is away is waited for. It rejects only
 * for what waiting cannot cure: an unreadable kubeconfig, a port in use.
 */
export async function startAgent(config: AgentConfig, parts: AgentParts = {}): Promise<RunningAgent> {
  const agent = new Agent(config, parts);
  const health = await serveHealth(agent, config.healthHost, config.healthPort);
  agent.start();
  return {
    healthUrl: health.url,
    health: () => agent.report(),
    stop: async () => {
      await agent.stop();
      await health.stop();
    },
  };
}

/** The parts of the agent and how they are joined. */
class Agent extends AgentHealth {
  private readonly config: AgentConfig;
  private readonly version = agentVersion();
  private readonly logger: Logger;
  private readonly metrics = new Metrics();
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly ids: Ids;
  private readonly api: KubernetesApi;
  private readonly client: ControlPlaneClient;
  private readonly pods: Reflector<PodObject>;
  private readonly events: PodEvents;
  private readonly changes: readonly HandOver<Change<PodObject>>[];
  private readonly asides: AsideItems[] = [];
  private readonly profile: ProfileSource;
  private readonly book = new StatusBook();
  private readonly writer: StatusWriter;
  private readonly wholeTopic: WholeTopic;
  private readonly session: Session;
  private readonly node: VirtualNode;
  private readonly heartbeat: Heartbeat;
  private readonly webhook: Webhook | undefined;
  private readonly unbound: UnboundPods;
  private readonly given: Messaging | undefined;
  private link: FleetLink | undefined;
  private linked = false;
  private profileRevision: string | undefined;
  private stopped: Promise<void> | undefined;
  private standingDown: Promise<void> | undefined;

  constructor(config: AgentConfig, parts: AgentParts) {
    super();
    this.config = config;
    this.logger = (parts.logger ?? createLogger({ level: config.logLevel, service: 'agent' })).child({
      node: config.nodeName,
    });
    this.clock = parts.clock ?? new SystemClock();
    this.random = parts.random ?? new SystemRandom();
    this.ids = parts.ids ?? new SystemIds();
    this.given = parts.messaging;
    if (parts.collectProcessMetrics) this.metrics.collectProcessMetrics();
    const { clock, random, ids, logger, metrics, version } = this;
    const { nodeName } = config;

    const requests = metrics.histogram('eci_fleet_agent_api_request_seconds', 'Requests to the API server', [
      'verb',
      'resource',
      'code',
    ]);
    this.api = new KubernetesApi({
      connection: Connection.load({ kubeconfig: config.kubeconfig, inCluster: config.inCluster }),
      clock,
      qps: config.kubernetesQps,
      userAgent: `eci-fleet-agent/${version}`,
      onRequest: ({ verb, resource, status, ms }) =>
        requests.observe({ verb, resource, code: String(status) }, ms / 1000),
    });
    const api = this.api;
    this.client = new ControlPlaneClient(config.controlPlaneUrl, config.controlPlaneCaFile);
    const eventPace = new EventPace({
      clock,
      qps: config.eventQps,
      busy: () => this.writer.backlog > 0 || (this.link?.intents.counts().queued ?? 0) > 0,
    });
    this.events = new PodEvents({ api, clock, logger, nodeName, metrics, pace: eventPace });
    this.pods = new Reflector<PodObject>({
      api,
      clock,
      random,
      resource: resources.pods,
      fieldSelector: `spec.nodeName=${nodeName}`,
      onChange: (change) => {
        for (const each of this.changes) each.give(change.object.metadata.uid, change);
      },
      onError: (error, failures) => {
        if (failures === 1 || failures % 10 === 0)
          logger.warn('pods cannot be watched; trying on', { error, failures });
      },
      onBack: (awayMs) => logger.info('pods can be watched again', { awayMs }),
    });
    // Side by side: what one of them cannot take, the other may.
    this.changes = [
      this.changesFor('pods for statuses', (change) => this.writer.onChange(change)),
      this.changesFor('pods for intents', (change) => this.link?.intents.onChange(change)),
    ];
    this.writer = new StatusWriter({
      api,
      book: this.book,
      pods: this.pods,
      clock,
      random,
      logger,
      metrics,
      nodeName,
      aside: this.asideOf('statuses'),
      eventPace,
    });
    this.wholeTopic = new WholeTopic(this.writer);
    this.profile = new ProfileSource({
      api,
      clock,
      random,
      logger,
      events: this.events,
      environment: {
        region: config.region,
        ...(config.vpcId === undefined ? {} : { vpcId: config.vpcId }),
        vSwitchIds: [...config.vSwitchIds],
        ...(config.securityGroupId === undefined ? {} : { securityGroupId: config.securityGroupId }),
        ...(config.resourceGroupId === undefined ? {} : { resourceGroupId: config.resourceGroupId }),
        enableClusterIp: config.enableClusterIp,
      },
      onChange: ({ revision }) => this.onProfile(revision),
    });
    this.session = new Session({
      client: this.client,
      identities: new IdentityStore(api, config.namespace),
      joinToken: config.joinToken,
      nodeName,
      agentVersion: version,
      clock,
      random,
      ids,
      logger,
      onSession: (session) => this.onSession(session),
      onAnswer: (session, askedAt) => this.onAnswer(session, askedAt),
      onStatus: (status) => this.onStatus(status),
    });
    this.node = new VirtualNode({
      api,
      clock,
      random,
      logger,
      config,
      version,
      view: () => nodeViewOf(this.session.status, this.link?.away ?? false),
      onNode: () => this.heartbeat.nudge(),
      onReadyAgain: () => {
        logger.warn('the node is ready again; writing the status of all pods once more');
        this.writer.rewriteAll();
      },
    });
    this.heartbeat = new Heartbeat({
      api,
      clock,
      random,
      logger,
      nodeName,
      nodeUid: () => this.node.uid,
      onOutage: (awayMs) => {
        logger.warn('the API server was out of reach', { awayMs });
        this.node.reportNow();
      },
    });
    this.unbound = new UnboundPods({ api, clock, random, logger, events: this.events, nodeName });
    this.webhook = config.webhook
      ? new Webhook({
          api,
          clock,
          random,
          logger,
          metrics,
          config: config.webhook,
          namespace: config.namespace,
          nodeName,
          taint: config.taint,
          profile: () => this.profile.current,
        })
      : undefined;
  }

  start(): void {
    this.logger.info('starting', {
      version: this.version,
      apiServer: this.api.server,
      controlPlane: this.config.controlPlaneUrl,
    });
    this.warnOf(this.config.insecureTransports);
    this.heartbeat.start();
    this.node.start();
    this.pods.start();
    this.profile.start();
    this.session.start();
    this.webhook?.start();
    this.unbound.start();
  }

  stop(): Promise<void> {
    this.stopped ??= this.leave();
    return this.stopped;
  }

  private async leave(): Promise<void> {
    await this.standDown();
    await this.session.stop();
    await Promise.all([this.client.close(), this.api.close()]);
  }

  /** Ends everything that speaks to the cluster or to the fleet. */
  private standDown(): Promise<void> {
    this.standingDown ??= this.endAll();
    return this.standingDown;
  }

  private async endAll(): Promise<void> {
    await Promise.all([this.webhook?.stop(), this.unbound.stop()]);
    await this.link?.stop(PUBLISHER_GRACE_MS);
    await Promise.all([this.writer.stop(), ...this.changes.map((each) => each.stop())]);
    await Promise.all([this.profile.stop(), this.pods.stop(), this.node.stop(), this.heartbeat.stop()]);
  }

  /** The first session brings up what needs it; a later one with a new epoch only makes the publisher count anew. */
  private onSession(session: SessionResponse): void {
    this.logger.info('has a session', { clusterId: session.clusterId, epoch: session.agentEpoch });
    if (this.link) {
      this.link.newEpoch();
      return;
    }
    const link = this.linkOf(session);
    this.warnOf(link.insecureTransports);
    this.link = link;
  }

  private onAnswer(session: SessionResponse, askedAt: number): void {
    const { link } = this;
    if (!link) return;
    link.onAnswer(session, askedAt);
    // The topic is read once it is known what on it counts.
    if (this.linked) return;
    this.linked = true;
    link.start();
    // What the watch has brought so far; later changes find the link by themselves.
    void this.pods.synced().then(() => {
      const [, forIntents] = this.changes;
      for (const object of this.pods.values()) forIntents?.give(object.metadata.uid, { kind: 'added', object });
      link.begin();
      this.wholeTopic.onPods();
    });
  }

  private linkOf(session: SessionResponse): FleetLink {
    const { api, clock, random, ids, logger, metrics, config, pods, events, book, writer } = this;
    return new FleetLink({
      config,
      session: this.session,
      first: session,
      given: this.given,
      clock,
      random,
      logger,
      metrics,
      onReach: () => this.node.nudge(),
      onTopic: (known) => this.wholeTopic.onTopic(known),
      parts: (messaging, caughtUp) => {
        const publisher = new IntentPublisher({ messaging, session: this.session, clock, random, logger, metrics });
        const resolver = new Resolver({
          api,
          objects: new ClusterObjects(api, clock),
          profile: () => this.profile.current,
          clusterDns: config.clusterDns,
          clusterDomain: config.clusterDomain,
          logger,
        });
        const intents = new PodIntents({
          pods,
          resolver,
          publisher,
          events,
          clock,
          random,
          logger,
          aside: this.asideOf('intents'),
        });
        const inventories = new Inventories({
          pods,
          publisher,
          view: {
            revision: (uid) => book.kept(uid),
            waitingFor: (pod) => intents.waitingFor(pod),
            onTopic: () => book.uids(),
          },
          clock,
          random,
          ids,
          logger,
          periodSeconds: config.inventorySeconds,
          aside: this.asideOf('inventories'),
          // The revisions of a former start come with the topic; without them everything would be asked for again.
          ready: firstOf(
            Promise.all([caughtUp, pods.synced()]).then(() => writer.compare()),
            FIRST_INVENTORY_WITHIN_MS,
            clock,
          ),
        });
        const commands = new Commands({
          api,
          pods,
          intents,
          inventories,
          nameOf: (uid) => book.newest(uid),
          nodeName: config.nodeName,
          clock,
          random,
          logger,
          aside: this.asideOf('rechecks'),
        });
        return {
          publisher,
          intents,
          inventories,
          commands,
          reader: new ClusterTopicReader({
            writer,
            onCommand: (command) => commands.onCommand(command),
            askSession: () => this.session.askAgain(),
            onLost: () => inventories.sendNow(),
            logger,
            metrics,
            clock,
            random,
            aside: this.asideOf('messages'),
          }),
        };
      },
    });
  }

  /** Pods that have not started yet may wait for the very thing that was changed: the control plane hears of them once more. */
  private onProfile(revision: string): void {
    this.webhook?.nudge();
    const before = this.profileRevision;
    this.profileRevision = revision;
    if (before === revision) return;
    for (const pod of this.pods.values()) {
      if (pod.status?.phase === 'Pending' && !pod.metadata.deletionTimestamp) this.link?.intents.again(pod);
    }
  }

  private warnOf(insecure: readonly InsecureTransport[]): void {
    for (const { setting, host, why, allowedBy } of insecure)
      this.logger.warn('a transport is not secure, as allowed', { setting, host, why, allowedBy });
  }

  private changesFor(loop: string, take: (change: Change<PodObject>) => void): HandOver<Change<PodObject>> {
    return new HandOver({ take, aside: this.asideOf(loop), clock: this.clock, random: this.random });
  }

  private asideOf(loop: string): AsideItems {
    const items = new AsideItems({ loop, clock: this.clock, logger: this.logger, metrics: this.metrics });
    this.asides.push(items);
    return items;
  }

  /** The longest first. */
  private setAside(): readonly AsideItem[] {
    return this.asides
      .flatMap((items) => items.list())
      .sort((a, b) => a.since.localeCompare(b.since))
      .slice(0, MOST_ASIDE);
  }

  private onStatus(status: SessionStatus): void {
    this.node.nudge();
    this.link?.publisher.nudge();
    if (status.state !== 'superseded') return;
    const { nodeName } = this.config;
    // Its Events are where `kubectl describe node` looks; a condition would be fought over with the newer agent.
    this.events.sayAbout(
      { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName },
      'Warning',
      'AgentSuperseded',
      `an agent of node ${nodeName} has stopped: ${status.detail}`,
    );
    void this.standDown().catch((error: unknown) => this.logger.error('standing down failed', { error }));
  }

  report(): HealthReport {
    const { state, detail, since } = this.session.status;
    const counts = this.link?.intents.counts() ?? { queued: 0, waiting: 0 };
    const away = this.link?.away ?? true;
    const leaseAgeSeconds = Math.round(this.heartbeat.age() / 1000);
    const well = state === 'live' && !away && leaseAgeSeconds < 40;
    return {
      status: state === 'superseded' ? 'superseded' : well ? 'ok' : 'degraded',
      version: this.version,
      node: this.config.nodeName,
      session: { state, detail, since: new Date(since).toISOString() },
      messaging: !this.link ? 'not connected yet' : away ? 'away' : 'connected',
      messagingTrouble: this.link?.trouble,
      publishing: this.link?.publisher.trouble ?? 'ok',
      leaseAgeSeconds,
      pods: this.pods.size,
      intentsQueued: counts.queued,
      podsWaiting: counts.waiting,
      statusBacklog: this.writer.backlog,
      statuses: this.wholeTopic.known ? 'written' : 'wait for the end of the topic',
      believes: (this.link?.believesUnproven ?? true) ? 'what anybody writes to its topic' : 'the control plane alone',
      setAside: this.setAside(),
      insecureTransports: [...this.config.insecureTransports, ...(this.link?.insecureTransports ?? [])],
      webhook: !this.webhook ? 'off' : this.webhook.registered ? 'registered' : 'not registered yet',
    };
  }

  async metricsText(): Promise<string> {
    const { metrics } = this;
    const report = this.report();
    const gauge = (name: string, help: string, value: number): void =>
      metrics.gauge(`eci_fleet_agent_${name}`, help).set(value);
    gauge('pods', 'Pods bound to the node', report.pods);
    gauge('intents_waiting', 'Pods whose intent waits for its turn', report.intentsQueued);
    gauge('pods_waiting', 'Pods that wait for something of the cluster, such as a ConfigMap', report.podsWaiting);
    gauge('status_backlog', 'Pod statuses that the API server does not have yet', report.statusBacklog);
    gauge('lease_age_seconds', 'Time since the last renewal of the lease', report.leaseAgeSeconds);
    gauge('session_live', '1 while the control plane answers', report.session.state === 'live' ? 1 : 0);
    gauge(
      'believes_unproven',
      '1 while statuses and commands without a MAC count',
      (this.link?.believesUnproven ?? true) ? 1 : 0,
    );
    gauge('api_requests_queued', 'Requests to the API server that wait for their turn', this.api.queued);
    const insecure = metrics.gauge(
      'eci_fleet_agent_insecure_transport',
      'Settings by which something leaves this machine without being encrypted and authenticated, as allowed',
      ['setting'],
    );
    for (const { setting } of report.insecureTransports) insecure.set({ setting }, 1);
    return await metrics.text();
  }

  get metricsContentType(): string {
    return this.metrics.contentType;
  }
}

/** Waits for the first of both, and leaves no timer behind that would keep the process alive. */
async function firstOf(event: Promise<unknown>, withinMs: number, clock: Clock): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([event, clock.sleep(withinMs, over.signal)]);
  } finally {
    over.abort();
  }
}
