import type { SessionResponse } from '#libs/contracts';
import type { Change, KubernetesApi, PodObject, Reflector } from '#libs/kubernetes';
import type { Messaging } from '#libs/messaging';
import { createLogger, Metrics, type Logger } from '#libs/observability';
import { SystemClock, SystemIds, SystemRandom, type Clock, type Ids, type Random } from '#libs/runtime';
import type { InsecureTransport } from '#libs/transport';
import type { AgentConfig } from './config.ts';
import { connectKubernetes } from './connect-kubernetes.ts';
import { HandOver } from './hand-over.ts';
import { serveHealth } from './health/health-server.ts';
import { AgentHealth, type HealthReport } from './health/agent-health.ts';
import { AllAsides } from './health/all-asides.ts';
import { setGauges } from './health/report-metrics.ts';
import { linkedParts } from './linked-parts.ts';
import { Heartbeat } from './node/heartbeat.ts';
import { nodeViewOf } from './node/node-view.ts';
import { VirtualNode } from './node/virtual-node.ts';
import { EventPace } from './events/event-pace.ts';
import { PodEvents } from './events/pod-events.ts';
import { podsOfNode } from './pods/pods-of-node.ts';
import { ProfileSource } from './profile/profile-source.ts';
import type { EciProfile } from './profile/profile.ts';
import { profileOf } from './profile/variables.ts';
import { FleetLink } from './fleet-link.ts';
import { ControlPlaneClient } from './session/control-plane-client.ts';
import { IdentityStore } from './session/identity-store.ts';
import { Session, type SessionStatus } from './session/session.ts';
import { StatusBook } from './status/status-book.ts';
import { StatusWriter } from './status/status-writer.ts';
import { WholeTopic } from './status/whole-topic.ts';
import { UnboundPods } from './steering/unbound-pods.ts';
import { Webhook } from './steering/webhook.ts';
import { agentVersion } from './version.ts';

interface AgentParts {
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

const PUBLISHER_GRACE_MS = 2_000;

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
  private readonly asides: AllAsides;
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

    this.asides = new AllAsides({ clock, logger, metrics });
    this.api = connectKubernetes(config, { clock, metrics, version });
    const { api } = this;
    const common = { api, clock, random, logger, metrics, nodeName };
    this.client = new ControlPlaneClient(config.controlPlaneUrl, config.controlPlaneCaFile);
    const eventPace = new EventPace({
      clock,
      qps: config.eventQps,
      busy: () => this.writer.backlog > 0 || (this.link?.intents.counts().queued ?? 0) > 0,
    });
    const events = new PodEvents({ ...common, pace: eventPace });
    this.events = events;
    this.pods = podsOfNode({
      ...common,
      onChange: (change) => this.changes.forEach((each) => each.give(change.object.metadata.uid, change)),
    });
    // Side by side: what one of them cannot take, the other may.
    this.changes = [
      this.changesFor('pods for statuses', (change) => this.writer.onChange(change)),
      this.changesFor('pods for intents', (change) => this.link?.intents.onChange(change)),
    ];
    const aside = this.asides.of('statuses');
    this.writer = new StatusWriter({ ...common, book: this.book, pods: this.pods, aside, eventPace });
    this.wholeTopic = new WholeTopic(this.writer);
    this.profile = new ProfileSource({
      ...common,
      events,
      environment: profileOf(config),
      onChange: ({ revision }) => this.onProfile(revision),
    });
    this.session = new Session({
      ...common,
      ids,
      client: this.client,
      identities: new IdentityStore(api, config.namespace),
      joinToken: config.joinToken,
      agentVersion: version,
      onSession: (session) => this.onSession(session),
      onAnswer: (session, askedAt) => this.onAnswer(session, askedAt),
      onStatus: (status) => this.onStatus(status),
    });
    this.node = new VirtualNode({
      ...common,
      config,
      version,
      view: () => nodeViewOf(this.session.status, this.link?.away ?? false),
      onNode: () => this.heartbeat.nudge(),
      onReadyAgain: () => this.onReadyAgain(),
    });
    this.heartbeat = new Heartbeat({
      ...common,
      nodeUid: () => this.node.uid,
      onOutage: (awayMs) => this.onOutage(awayMs),
    });
    this.unbound = new UnboundPods({ ...common, events });
    const { namespace, taint, webhook } = config;
    const profile = (): EciProfile => this.profile.current;
    this.webhook = webhook && new Webhook({ ...common, config: webhook, namespace, taint, profile });
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
    const { api, clock, random, ids, logger, metrics, config, pods, events, book, writer, profile, asides } = this;
    const common = { config, session: this.session, clock, random, logger, metrics };
    return new FleetLink({
      ...common,
      first: session,
      given: this.given,
      onReach: () => this.node.nudge(),
      onTopic: (known) => this.wholeTopic.onTopic(known),
      parts: (messaging, caughtUp) =>
        linkedParts({ ...common, api, ids, pods, events, book, writer, profile, asides }, messaging, caughtUp),
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

  private onReadyAgain(): void {
    this.logger.warn('the node is ready again; writing the status of all pods once more');
    this.writer.rewriteAll();
  }

  private onOutage(awayMs: number): void {
    this.logger.warn('the API server was out of reach', { awayMs });
    this.node.reportNow();
  }

  private warnOf(insecure: readonly InsecureTransport[]): void {
    for (const { setting, host, why, allowedBy } of insecure)
      this.logger.warn('a transport is not secure, as allowed', { setting, host, why, allowedBy });
  }

  private changesFor(loop: string, take: (change: Change<PodObject>) => void): HandOver<Change<PodObject>> {
    return new HandOver({ take, aside: this.asides.of(loop), clock: this.clock, random: this.random });
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
      setAside: this.asides.list(),
      insecureTransports: [...this.config.insecureTransports, ...(this.link?.insecureTransports ?? [])],
      webhook: !this.webhook ? 'off' : this.webhook.registered ? 'registered' : 'not registered yet',
    };
  }

  async metricsText(): Promise<string> {
    setGauges(this.metrics, this.report(), this.api.queued);
    return await this.metrics.text();
  }

  get metricsContentType(): string {
    return this.metrics.contentType;
  }
}
