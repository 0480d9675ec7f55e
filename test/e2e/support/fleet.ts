import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import {
  createDatabase,
  createTestDatabase,
  eventually,
  freePorts,
  sharedKafka,
  startKafka,
  startKubernetes,
  startPostgres,
  startProcess,
  topicPrefix,
  type KafkaOfTheRun,
  type KafkaRig,
  type KubernetesRig,
  type PostgresRig,
  type TestProcess,
} from '#libs/testing';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { ControlPlaneApi, type HistoryEvent } from './control-plane-api.ts';
import { Pods } from './pods.ts';
import { Simulator, type SimulatorOptions } from './simulator.ts';

const repository = join(import.meta.dirname, '..', '..', '..');

/** Names of the demo world. */
export const REGION = 'cn-hangzhou';
export const ZONES = ['cn-hangzhou-h', 'cn-hangzhou-i', 'cn-hangzhou-j', 'cn-hangzhou-k'] as const;
export const VSWITCHES = ['vsw-demo-h', 'vsw-demo-i', 'vsw-demo-j', 'vsw-demo-k'] as const;
const ACCESS_KEY = { id: 'LTAI-eci-simulator', secret: 'eci-simulator-secret' };

interface FleetOptions {
  readonly simulator?: SimulatorOptions;
  /** Variables beside the usual ones. */
  readonly controlPlane?: Readonly<Record<string, string>>;
  readonly agent?: Readonly<Record<string, string>>;
  /** Default: the servers of the run. `true`: of its own, to be broken or looked into. */
  readonly ownPostgres?: boolean;
  readonly ownKafka?: boolean;
}

/**
 * One whole fleet for one spec file: a Kubernetes of its own with the agent's manifests applied, Kafka with a name of its own (agents by
 * token over the listener that checks them and its ACLs), a database, a simulated cloud, and control plane and agent as processes from
 * `dist/`, configured by environment alone. The agent runs under exactly the role of its manifests.
 */
export class Fleet {
  readonly name = `${topicPrefix()}fleet`;
  readonly clusterId = 'e2e';
  readonly #options: FleetOptions;
  readonly #undo: ((options: { keepLogs: boolean }) => Promise<unknown>)[] = [];
  #failed = false;
  #startControlPlane: (port: number, env?: Readonly<Record<string, string>>) => Promise<TestProcess> = () => {
    throw new Error('the fleet has not started');
  };
  #startAgent: (env: Readonly<Record<string, string>>) => Promise<TestProcess> = () => {
    throw new Error('the fleet has not started');
  };
  #started: Parts | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const [kubernetes, kafka, postgres, simulator] = await Promise.all([
      this.#kubernetes(),
      this.#kafka(),
      this.#database(),
      this.#simulator(),
    ]);
    const [apiPort, healthPort, webhookPort] = (await freePorts(3)) as [number, number, number];
    const environment = controlPlaneEnvironment(this, kafka, postgres, simulator, this.#options);
    this.#startControlPlane = (port, env = {}) =>
      this.#process('control-plane', {
        ready: async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok,
        env: { ...environment, ...env, HTTP_PORT: String(port) },
      });
    const controlPlane = await this.#startControlPlane(apiPort);
    const api = new ControlPlaneApi(`http://127.0.0.1:${apiPort}`);
    const { joinToken } = await api.call('POST', '/clusters', { id: this.clusterId });
    this.#startAgent = (env) =>
      this.#process('agent', {
        ready: async () => {
          const report = await (await fetch(`http://127.0.0.1:${healthPort}/healthz`)).json();
          const { status, webhook } = report as { status: string; webhook: string };
          if (status === 'ok' && webhook === 'registered') return true;
          throw new Error(`it says ${JSON.stringify(report)}`);
        },
        env: { ...agentEnvironment, ...env },
      });
    const agentEnvironment = {
      CONTROL_PLANE_URL: api.url,
      JOIN_TOKEN: joinToken.token as string,
      KUBECONFIG: await kubernetes.cluster.serviceAccountKubeconfig({
        namespace: 'eci-fleet',
        name: 'eci-fleet-agent',
      }),
      ECI_REGION: REGION,
      ECI_VSWITCH: VSWITCHES.join(','),
      ECI_SECURITY_GROUP: 'sg-demo',
      ECI_VPC: 'vpc-demo',
      CLUSTER_DNS: '10.96.0.10',
      WEBHOOK_HOST: '127.0.0.1',
      WEBHOOK_PORT: String(webhookPort),
      WEBHOOK_URL: `https://127.0.0.1:${webhookPort}`,
      HEALTH_PORT: String(healthPort),
      ...this.#options.agent,
    };
    const agent = await this.#startAgent({});
    const database = new pg.Pool({ connectionString: postgres.url, max: 4 });
    database.on('error', () => undefined);
    this.#undo.push(() => database.end());
    this.#started = {
      kubernetes,
      kafka,
      postgres: postgres.rig,
      simulator,
      controlPlane,
      agent,
      api,
      database,
      pods: new Pods(kubernetes.cluster),
    };
    await eventually(async () => (await this.pods.kubectl('get', 'nodes')).includes('virtual-kubelet   Ready'), {
      what: 'the virtual node is Ready',
      deadlineMs: 30_000,
    });
  }

  /** A test failed: what was logged is kept. */
  failed(): void {
    this.#failed = true;
  }

  async stop(): Promise<void> {
    const { controlPlane, agent } = this.#started ?? {};
    if (this.#failed && agent !== undefined && controlPlane !== undefined) {
      process.stderr.write(`Logs of the failed fleet: ${controlPlane.logFile} and ${agent.logFile}\n`);
    }
    for (const end of this.#undo.splice(0).reverse()) await end({ keepLogs: this.#failed }).catch(() => undefined);
  }

  /** Ends the agent and starts one with other variables beside the usual ones. */
  async replaceAgent(env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.agent.stop();
    this.#started = { ...this.#parts, agent: await this.#startAgent(env) };
  }

  /** A second control plane beside the first, on a port of its own, with variables beside the first one's; ends with the fleet at the latest. */
  async startReplica(env: Readonly<Record<string, string>> = {}): Promise<TestProcess> {
    const [port] = (await freePorts(1)) as [number];
    return this.#startControlPlane(port, env);
  }

  get kubernetes(): KubernetesRig {
    return this.#parts.kubernetes;
  }
  get kafka(): KafkaOfTheRun & { readonly rig?: KafkaRig } {
    return this.#parts.kafka;
  }
  /** Present with `ownPostgres`. */
  get postgres(): PostgresRig | undefined {
    return this.#parts.postgres;
  }
  get simulator(): Simulator {
    return this.#parts.simulator;
  }
  get controlPlane(): TestProcess {
    return this.#parts.controlPlane;
  }
  get agent(): TestProcess {
    return this.#parts.agent;
  }
  get api(): ControlPlaneApi {
    return this.#parts.api;
  }
  /** Sessions of a superuser on the fleet's database, to look and to block. */
  get database(): pg.Pool {
    return this.#parts.database;
  }
  get pods(): Pods {
    return this.#parts.pods;
  }

  /** Every event of a pod's stream, oldest first. */
  async history(podUid: string): Promise<HistoryEvent[]> {
    const id = encodeURIComponent(`${this.clusterId}/${podUid}`);
    return (await this.api.all(`/container-groups/${id}/history?limit=200`)) as HistoryEvent[];
  }

  /** Waits until a pod's history holds an event of this type, and returns the whole of it. */
  untilHistory(podUid: string, type: string, deadlineMs = 60_000): Promise<HistoryEvent[]> {
    return eventually(
      async () => {
        const events = await this.history(podUid);
        if (events.some((event) => event.type === type)) return events;
        throw new Error(`there is ${events.map((event) => event.type).join(', ')}`);
      },
      { what: `the history of pod ${podUid} has ${type}`, deadlineMs, everyMs: 100 },
    );
  }

  /** Waits until the control plane's log says something: lines reach their file a moment after they were said. */
  async untilLogged(text: RegExp): Promise<void> {
    await eventually(() => text.test(this.controlPlane.logText()), { what: `the control plane's log says ${text}` });
  }

  get #parts(): Parts {
    if (this.#started === undefined) throw new Error('the fleet has not started');
    return this.#started;
  }

  async #kubernetes(): Promise<KubernetesRig> {
    const rig = await startKubernetes();
    this.#undo.push((options) => rig.stop(options));
    const folder = join(repository, 'deploy', 'agent');
    const files = ['namespace', 'service-account', 'rbac', 'settings', 'join-token', 'service'];
    await rig.cluster.kubectl(['apply', ...files.flatMap((file) => ['-f', join(folder, `${file}.yaml`)])]);
    return rig;
  }

  async #kafka(): Promise<KafkaOfTheRun & { rig?: KafkaRig }> {
    const shared = this.#options.ownKafka ? undefined : await sharedKafka();
    // A broker of the user's own knows nothing of our tokens.
    if (shared?.oauth !== undefined) return shared;
    const rig = await startKafka({ oauth: true });
    this.#undo.push((options) => rig.stop(options));
    return { brokers: [...rig.brokers], oauth: { ...rig.oauth!, brokers: [...rig.oauth!.brokers] }, rig };
  }

  async #database(): Promise<{ url: string; rig: PostgresRig | undefined }> {
    if (!this.#options.ownPostgres) {
      const database = await createTestDatabase();
      this.#undo.push(() => database.drop());
      return { url: database.url, rig: undefined };
    }
    const rig = await startPostgres();
    this.#undo.push((options) => rig.stop(options));
    return { url: (await createDatabase(rig.url, { name: 'eci_fleet' })).url, rig };
  }

  async #simulator(): Promise<Simulator> {
    const simulator = await Simulator.start(this.#options.simulator);
    this.#undo.push((options) => simulator.stop(options));
    return simulator;
  }

  async #process(
    name: 'control-plane' | 'agent',
    { env, ready }: { env: Record<string, string>; ready: () => Promise<boolean> },
  ): Promise<TestProcess> {
    const started = await startProcess({
      name,
      command: process.execPath,
      args: [join(repository, 'dist', 'services', name, 'src', 'main.js')],
      cwd: repository,
      env,
      ready,
      readyDeadlineMs: 180_000,
    });
    this.#undo.push(async ({ keepLogs }) => {
      if (keepLogs) started.keepLog();
      await started.kill9();
      await started.removeLog();
    });
    return started;
  }
}

interface Parts {
  readonly kubernetes: KubernetesRig;
  readonly kafka: KafkaOfTheRun & { readonly rig?: KafkaRig };
  readonly postgres: PostgresRig | undefined;
  readonly simulator: Simulator;
  readonly controlPlane: TestProcess;
  readonly agent: TestProcess;
  readonly api: ControlPlaneApi;
  readonly database: pg.Pool;
  readonly pods: Pods;
}

function controlPlaneEnvironment(
  fleet: Fleet,
  kafka: KafkaOfTheRun,
  postgres: { readonly url: string },
  simulator: Simulator,
  options: FleetOptions,
): Record<string, string> {
  const { tokens, brokers } = kafka.oauth!;
  const { id, secret } = options.simulator?.accessKey ?? ACCESS_KEY;
  return {
    DATABASE_URL: postgres.url,
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_BROKERS_FOR_AGENTS: brokers.join(','),
    KAFKA_SECURITY_FOR_AGENTS: 'oauthbearer',
    KAFKA_INTENT_PARTITIONS: '4',
    FLEET_NAME: fleet.name,
    FLEET_MASTER_KEY: randomBytes(32).toString('base64'),
    FLEET_TOKEN_KEY: JSON.stringify(tokens.privateJwk),
    FLEET_TOKEN_ISSUER: tokens.issuer,
    FLEET_TOKEN_AUDIENCE: tokens.audience,
    ECI_ENDPOINT: simulator.endpoint,
    ECI_ACCESS_KEY: id,
    ECI_SECRET_KEY: secret,
    ...options.controlPlane,
  };
}

/** A fleet that lives as long as the spec file's tests; to be called at its top level. */
export function useFleet(options: FleetOptions = {}): Fleet {
  const fleet = new Fleet(options);
  beforeAll(async () => {
    try {
      await fleet.start();
    } catch (error) {
      fleet.failed();
      throw error;
    }
  });
  beforeEach(({ onTestFailed }) => onTestFailed(() => fleet.failed()));
  afterAll(() => fleet.stop());
  return fleet;
}
