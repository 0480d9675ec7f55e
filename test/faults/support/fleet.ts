import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import {
  createDatabase,
  freePort,
  freePorts,
  sharedKafka,
  startKafka,
  startPostgres,
  startProcess,
  topicPrefix,
  type KafkaOfTheRun,
  type KafkaRig,
  type PostgresRig,
  type TestProcess,
  type TokenIssuer,
} from '#libs/testing';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { BlockedAppends } from '../../e2e/support/blocked-appends.ts';
import { ControlPlaneApi, type HistoryEvent } from '../../e2e/support/control-plane-api.ts';
import { Simulator, type SimulatorOptions } from '../../e2e/support/simulator.ts';
import { FaultCluster, figureOf, healthPorts } from './cluster.ts';
import { FaultProxy } from './proxy.ts';

const repository = join(import.meta.dirname, '..', '..', '..');

export const REGION = 'cn-hangzhou';
const VSWITCHES = 'vsw-demo-h,vsw-demo-i,vsw-demo-j,vsw-demo-k';
export const ACCESS_KEY = { id: 'LTAI-eci-simulator', secret: 'eci-simulator-secret' };

type Environment = Readonly<Record<string, string>>;

interface ReplicaOptions {
  /** Default: all. */
  readonly roles?: readonly ('api' | 'intake' | 'effects' | 'observe' | 'publish' | 'project')[];
  readonly env?: Environment;
  /** Folder of another build than `dist`, such as the last release's. */
  readonly dist?: string;
}

interface FaultFleetOptions {
  /** Control planes. Default: one with every role. At least one must have `api`. */
  readonly replicas?: readonly ReplicaOptions[];
  /** Ids of clusters, each with an API server and one agent. Default: `alpha`. */
  readonly clusters?: readonly string[];
  /** Default: the broker that the run shares, which nobody may break. `own`: one behind proxies, to be broken. */
  readonly kafka?: 'shared' | 'own';
  /** Settings of the PostgreSQL server, which is always the fleet's own. */
  readonly postgres?: Readonly<Record<string, string | number>>;
  readonly simulator?: SimulatorOptions;
  /** Variables beside the usual ones, of every control plane. */
  readonly controlPlane?: Environment;
  /** Variables of every agent. */
  readonly agent?: Environment;
}

/** A control plane process and where it answers. */
export interface Replica {
  readonly process: TestProcess;
  readonly url: string;
  readonly roles: readonly string[];
}

/**
 * A fleet to be broken: control planes, agents and the simulated cloud as processes from `dist/`, a PostgreSQL of its own, Kafka, clusters that
 * start in milliseconds, and a proxy on every wire between them. What the test itself asks (database, simulator, API servers) goes past the
 * proxies.
 */
export class FaultFleet {
  readonly name = `${topicPrefix()}fleet`;
  readonly replicas: Replica[] = [];
  readonly clusters: FaultCluster[] = [];
  /** Every process that is the product's, dead or alive. */
  readonly processes: TestProcess[] = [];
  postgres!: PostgresRig;
  /** Between every control plane and PostgreSQL. */
  postgresProxy!: FaultProxy;
  kafka!: KafkaOfTheRun;
  /** With `kafka: 'own'`: the broker, the wire of the control planes, the wire of the agents. */
  ownKafka: { rig: KafkaRig; readonly proxy: FaultProxy; readonly agentsProxy: FaultProxy } | undefined;
  simulator!: Simulator;
  /** Between every control plane and the cloud. */
  cloudProxy!: FaultProxy;
  /** What agents and people call: goes to the next control plane with role `api` that listens. */
  apiProxy!: FaultProxy;
  api!: ControlPlaneApi;
  /** A superuser's sessions, past the proxy. */
  database!: pg.Pool;
  #options: FaultFleetOptions;
  readonly #masterKey = randomBytes(32).toString('base64');
  readonly #undo: ((options: { keepLogs: boolean }) => Promise<unknown>)[] = [];
  #databaseUrl = '';
  #startBroker: (issuer?: TokenIssuer) => Promise<KafkaRig> = () => {
    throw new Error("only a fleet with kafka: 'own' has a broker to replace");
  };
  #failed = false;

  constructor(options: FaultFleetOptions = {}) {
    this.#options = options;
  }

  /** Before `start`: what its options are, where they had to be prepared. */
  configure(options: FaultFleetOptions): void {
    this.#options = options;
  }

  async start(): Promise<void> {
    const [replicas, clusters] = [this.#options.replicas ?? [{}], this.#options.clusters ?? ['alpha']];
    const [apiPort, cloudPort, databasePort] = (await freePorts(3)) as [number, number, number];
    [this.postgres, this.kafka, this.simulator] = await Promise.all([
      startPostgres(this.#options.postgres === undefined ? {} : { settings: this.#options.postgres }),
      this.#startKafka(),
      Simulator.start(this.#options.simulator),
    ]);
    this.#undo.push(
      (options) => this.postgres.stop(options),
      (options) => this.simulator.stop(options),
    );
    this.postgresProxy = await this.#proxy(databasePort, this.postgres.port);
    this.cloudProxy = await this.#proxy(cloudPort, Number(new URL(this.simulator.endpoint).port));
    this.apiProxy = await this.#proxy(apiPort);
    this.api = new ControlPlaneApi(`http://127.0.0.1:${apiPort}`);
    const { url } = await createDatabase(this.postgres.url, { name: 'eci_fleet' });
    this.#databaseUrl = url.replace(`:${this.postgres.port}/`, `:${databasePort}/`);
    this.database = new pg.Pool({ connectionString: url, max: 6 });
    this.database.on('error', () => undefined);
    this.#undo.push(() => this.database.end());
    for (const replica of replicas) await this.startReplica(replica);
    await Promise.all(clusters.map((id) => this.startCluster(id)));
  }

  /** One more control plane; resolves when it is ready. */
  async startReplica(options: ReplicaOptions = {}): Promise<Replica> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const process = await this.#process('control-plane', options.dist, {
      env: {
        ...this.#controlPlaneEnvironment(),
        HTTP_PORT: String(port),
        ...(options.roles === undefined ? {} : { FLEET_ROLES: options.roles.join(',') }),
        ...this.#options.controlPlane,
        ...options.env,
      },
      ready: async () => (await fetch(`${url}/health/ready`)).ok,
    });
    const replica = { process, url, roles: options.roles ?? ['api'] };
    this.replicas.push(replica);
    this.apiProxy.retarget(
      ...this.replicas.filter(({ roles }) => roles.includes('api')).map((each) => Number(new URL(each.url).port)),
    );
    return replica;
  }

  /** A cluster that is registered, and its agent with a session. */
  async startCluster(id: string): Promise<FaultCluster> {
    const cluster = await FaultCluster.start(id);
    this.#undo.push(() => cluster.stop());
    this.clusters.push(cluster);
    const { joinToken } = await this.api.call('POST', '/clusters', { id });
    await this.startAgent(cluster, { JOIN_TOKEN: joinToken.token });
    return cluster;
  }

  /** One more agent of a cluster; resolves when it has a session. A second one needs `NODE_NAME` or fights with the first. */
  async startAgent(
    cluster: FaultCluster,
    env: Environment = {},
    { ready = true, dist }: { ready?: boolean; dist?: string } = {},
  ): Promise<TestProcess> {
    const port = await freePort();
    const agent = await this.#process('agent', dist, {
      env: {
        CONTROL_PLANE_URL: this.api.url,
        KUBECONFIG: cluster.kubeconfigFile,
        ECI_REGION: REGION,
        ECI_VSWITCH: VSWITCHES,
        ECI_SECURITY_GROUP: 'sg-demo',
        ECI_VPC: 'vpc-demo',
        CLUSTER_DNS: '10.96.0.10',
        WEBHOOK: 'false',
        HEALTH_PORT: String(port),
        // Five minutes are right for a cluster, and too long for a test.
        INVENTORY_SECONDS: '10',
        ...this.#options.agent,
        ...env,
      },
      ready: async () => {
        const report = (await (await fetch(`http://127.0.0.1:${port}/healthz`)).json()) as { status: string };
        if (!ready || report.status === 'ok') return true;
        throw new Error(`it says ${JSON.stringify(report)}`);
      },
    });
    healthPorts.set(agent, port);
    cluster.agents.push(agent);
    return agent;
  }

  /** The broker and all that it held are lost; an empty one, of another cluster id, takes its place at the same addresses. */
  async replaceKafka(): Promise<void> {
    const { rig, proxy, agentsProxy } = this.ownKafka!;
    await rig.stop();
    this.ownKafka = { rig: await this.#startBroker(rig.oauth!.tokens), proxy, agentsProxy };
  }

  /** The first control plane, where there is one. */
  get controlPlane(): TestProcess {
    return this.replicas[0]!.process;
  }

  /** The first cluster. */
  get cluster(): FaultCluster {
    return this.clusters[0]!;
  }

  /** The cluster's stream of a pod. */
  streamOf(uid: string, cluster = this.cluster): string {
    return `container_group:${cluster.id}:${uid}`;
  }

  /** Every event of a pod's stream, oldest first, read from the database. */
  async history(uid: string, cluster = this.cluster): Promise<Pick<HistoryEvent, 'version' | 'type' | 'data'>[]> {
    const { rows } = await this.database.query<Pick<HistoryEvent, 'version' | 'type' | 'data'>>(
      'select version::int as version, type, data from es.event where stream_id = $1 order by version',
      [this.streamOf(uid, cluster)],
    );
    return rows;
  }

  async eventTypes(uid: string, cluster = this.cluster): Promise<string[]> {
    return (await this.history(uid, cluster)).map(({ type }) => type);
  }

  /** How many events there are, of some types or at all. */
  async countEvents(...types: readonly string[]): Promise<number> {
    const { rows } = await this.database.query<{ count: number }>(
      'select count(*)::int as count from es.event where $1::text[] = $2 or type = any ($1)',
      [types, []],
    );
    return rows[0]!.count;
  }

  /** Holds up every append until it is released; see {@link BlockedAppends}. */
  blockAppends(): Promise<BlockedAppends> {
    return BlockedAppends.begin(this.database);
  }

  /** `/health/ready` of a control plane: its status and checks. */
  async readiness(replica: Replica = this.replicas[0]!): Promise<{
    readonly status: number;
    readonly checks: readonly { name: string; ok: boolean; reason?: string; since?: string }[];
  }> {
    const answer = await fetch(`${replica.url}/health/ready`, { signal: AbortSignal.timeout(10_000) });
    const { checks } = (await answer.json()) as { checks: { name: string; ok: boolean }[] };
    return { status: answer.status, checks };
  }

  /** One figure of a control plane's metrics, summed over its labels; undefined when it is not there. */
  async figure(name: string, replica: Replica = this.replicas[0]!): Promise<number | undefined> {
    return figureOf(await (await fetch(`${replica.url}/metrics`)).text(), name);
  }

  /** A test failed: what was logged is kept. */
  failed(): void {
    this.#failed = true;
  }

  async stop(): Promise<void> {
    const keepLogs = this.#failed;
    if (keepLogs) {
      const files = this.processes.map(({ logFile }) => `\n  ${logFile}`).join('');
      process.stderr.write(`Logs of the failed fleet:${files}\n`);
    }
    for (const end of this.#undo.splice(0).reverse()) await end({ keepLogs }).catch(() => undefined);
  }

  async #startKafka(): Promise<KafkaOfTheRun> {
    if (this.#options.kafka !== 'own') {
      const kafka = await sharedKafka();
      if (kafka.oauth === undefined)
        throw new Error('KAFKA_BROKERS is set: fault scenarios need the broker of the rigs');
      return kafka;
    }
    const [port, oauthPort, plain, oauth] = (await freePorts(4)) as [number, number, number, number];
    const [proxy, agentsProxy] = [await this.#proxy(plain, port), await this.#proxy(oauth, oauthPort)];
    this.#startBroker = async (issuer) => {
      const started = await startKafka({
        port,
        oauthPort,
        oauth: issuer === undefined ? true : { issuer },
        advertise: { plain, oauth },
      });
      this.#undo.push((options) => started.stop(options));
      return started;
    };
    const rig = await this.#startBroker();
    this.ownKafka = { rig, proxy, agentsProxy };
    return {
      brokers: [`127.0.0.1:${plain}`],
      oauth: { ...rig.oauth!, brokers: [`127.0.0.1:${oauth}`] },
    };
  }

  async #proxy(port: number, ...targets: readonly number[]): Promise<FaultProxy> {
    const proxy = await FaultProxy.start(port, ...targets);
    this.#undo.push(() => proxy.close());
    return proxy;
  }

  #controlPlaneEnvironment(): Environment {
    const { tokens, brokers } = this.kafka.oauth!;
    const { id, secret } = this.#options.simulator?.accessKey ?? ACCESS_KEY;
    return {
      DATABASE_URL: this.#databaseUrl,
      KAFKA_BROKERS: this.kafka.brokers.join(','),
      KAFKA_BROKERS_FOR_AGENTS: brokers.join(','),
      KAFKA_SECURITY_FOR_AGENTS: 'oauthbearer',
      KAFKA_INTENT_PARTITIONS: '4',
      FLEET_NAME: this.name,
      FLEET_MASTER_KEY: this.#masterKey,
      FLEET_TOKEN_KEY: JSON.stringify(tokens.privateJwk),
      FLEET_TOKEN_ISSUER: tokens.issuer,
      FLEET_TOKEN_AUDIENCE: tokens.audience,
      ECI_ENDPOINT: `http://127.0.0.1:${this.cloudProxy.port}`,
      ECI_ACCESS_KEY: id,
      ECI_SECRET_KEY: secret,
    };
  }

  /** The environment of a control plane, for command lines that look at the same fleet (past the broken wire of PostgreSQL). */
  get commandLineEnvironment(): Environment {
    return {
      ...this.#controlPlaneEnvironment(),
      DATABASE_URL: this.#databaseUrl.replace(`:${this.postgresProxy.port}/`, `:${this.postgres.port}/`),
      ECI_ENDPOINT: this.simulator.endpoint,
    };
  }

  async #process(
    name: 'control-plane' | 'agent',
    dist: string | undefined,
    { env, ready }: { env: Environment; ready: () => Promise<boolean> },
  ): Promise<TestProcess> {
    const started = await startProcess({
      name,
      command: process.execPath,
      args: [join(dist ?? join(repository, 'dist'), 'services', name, 'src', 'main.js')],
      cwd: repository,
      env,
      ready,
      readyDeadlineMs: 180_000,
    });
    this.processes.push(started);
    this.#undo.push(async ({ keepLogs }) => {
      if (keepLogs) started.keepLog();
      await started.kill9();
      await started.removeLog();
    });
    return started;
  }
}

/** A fleet that lives as long as the spec file's tests; to be called at its top level. Options that must be prepared first come as a function. */
export function useFaultFleet(options: FaultFleetOptions | (() => Promise<FaultFleetOptions>) = {}): FaultFleet {
  const fleet = new FaultFleet(typeof options === 'function' ? {} : options);
  beforeAll(async () => {
    try {
      if (typeof options === 'function') fleet.configure(await options());
      await fleet.start();
    } catch (error) {
      fleet.failed();
      await fleet.stop();
      throw error;
    }
  });
  beforeEach(({ onTestFailed }) => onTestFailed(() => fleet.failed()));
  afterAll(() => fleet.stop());
  return fleet;
}
