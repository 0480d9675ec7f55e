import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Environment } from '#libs/configuration';
import { startEmbeddedPostgres } from '#libs/embedded-postgres';
import { Connection, isConflict, KubernetesApi, resources } from '#libs/kubernetes';
import { InProcessLog, InProcessMessaging } from '#libs/messaging';
import type { Logger } from '#libs/observability';
import { SystemClock } from '#libs/runtime';
import { migrate } from '#migrations';
import { startAgent } from '../../agent/src/agent.ts';
import { loadAgentConfig } from '../../agent/src/config.ts';
import { readConfig as readControlPlaneConfig } from '../../control-plane/src/config.ts';
import { startControlPlane } from '../../control-plane/src/control-plane.ts';
import { DEMO_CREDENTIAL, startSimulator } from '../../eci-simulator/src/simulator.ts';
import type { DataFolder } from './data-folder.ts';
import { startDemoCluster, type DemoCluster } from './demo-cluster/demo-cluster.ts';
import type { Options } from './options.ts';
import { passedOn } from './variables.ts';

export interface RunningFleet {
  readonly apiUrl: string;
  readonly clusterId: string;
  /** Of the ECI simulator's control API, with its token. */
  readonly controlUrl: string;
  /** Of the cluster that is served. */
  readonly kubeconfig: string;
  stop(): Promise<void>;
}

/** The agent keeps its key here; its manifests use the same name. */
const AGENT_NAMESPACE = 'eci-fleet';

/** Two zones of the demo have little stock, so that pods are seen to fall through to the next. */
const DEMO_STOCK = [
  { zone: 'cn-hangzhou-h', capacity: 6 },
  { zone: 'cn-hangzhou-i', capacity: 12 },
];

/** Starts everything; when one part fails, what was started is stopped again. `step` is told what happens. */
export async function launch(
  options: Options,
  folder: DataFolder,
  environment: Environment,
  { logger, step }: { logger: Logger; step: (text: string) => void },
): Promise<RunningFleet> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    // Last started first; one that fails to stop must not keep the others running.
    for (const each of stops.splice(0).reverse())
      await each().catch((error: unknown) => logger.error('a part did not stop cleanly', { error }));
  };
  try {
    return { ...(await start(options, folder, environment, { logger, step, stops })), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  options: Options,
  folder: DataFolder,
  environment: Environment,
  { logger, step, stops }: { logger: Logger; step: (text: string) => void; stops: (() => Promise<void>)[] },
): Promise<Omit<RunningFleet, 'stop'>> {
  // Before anything else: a port that is taken should not cost ten seconds of starting.
  if (options.port !== 0 && (await somethingListens(options.port))) {
    throw new Error(`port ${options.port} is taken: choose another with --port, or --port 0 for any free one`);
  }
  step('starting PostgreSQL, the ECI simulator and the cluster');
  const [database, simulator, cluster] = await all(
    startEmbeddedPostgres({ folder: folder.postgres, database: 'eci_fleet' }),
    startSimulator(
      {
        ...(options.dataDir === undefined ? {} : { dataDir: folder.simulator }),
        ...(options.kubeconfig === undefined ? { scenario: { stock: DEMO_STOCK } } : {}),
      },
      { logger },
    ),
    options.kubeconfig === undefined ? demoCluster(folder, logger) : undefined,
    (part) => stops.push(() => part.stop()),
  );
  const kubeconfig = options.kubeconfig ?? folder.kubeconfigFile;

  step('migrating the database and starting the control plane');
  await migrate(database.url);
  const log = new InProcessLog(new SystemClock());
  const controlPlane = await startControlPlane(
    readControlPlaneConfig(
      {
        DATABASE_URL: database.url,
        FLEET_MASTER_KEY_FILE: folder.masterKeyFile,
        FLEET_TOKEN_KEY_FILE: folder.tokenKeyFile,
        FLEET_AUDIT_KEY_FILE: folder.auditKeyFile,
        ECI_ENDPOINT: simulator.url,
        ECI_ACCESS_KEY: DEMO_CREDENTIAL.accessKeyId,
        ECI_SECRET_KEY: DEMO_CREDENTIAL.accessKeySecret,
        HTTP_PORT: String(options.port),
        LOG_LEVEL: environment['LOG_LEVEL'],
      },
      // The log of this process takes Kafka's place.
      { needsKafka: false },
    ),
    { messaging: new InProcessMessaging(log), logger: logger.child({ service: 'control-plane' }) },
  );
  stops.push(() => controlPlane.stop());

  step('joining the cluster and starting its agent');
  const fingerprint = await prepareCluster(kubeconfig);
  const clusterId = `${options.kubeconfig === undefined ? 'demo' : 'cluster'}-${fingerprint.slice(0, 8)}`;
  const joinToken = await registered(controlPlane.url, clusterId);
  const agent = await startAgent(
    loadAgentConfig({
      ...passedOn(environment),
      CONTROL_PLANE_URL: controlPlane.url,
      JOIN_TOKEN: joinToken,
      KUBECONFIG: kubeconfig,
      AGENT_NAMESPACE,
      HEALTH_PORT: '0',
    }),
    { messaging: new InProcessMessaging(log), logger: logger.child({ service: 'agent' }) },
  );
  stops.push(() => agent.stop());
  cluster?.startWorkload();
  return { apiUrl: controlPlane.url, clusterId, controlUrl: simulator.controlUrl, kubeconfig };
}

async function demoCluster(folder: DataFolder, logger: Logger): Promise<DemoCluster> {
  const cluster = await startDemoCluster({
    ...(folder.demoClusterFile === undefined ? {} : { stateFile: folder.demoClusterFile }),
    onError: (error) => logger.warn('the demo workload met an error', { error }),
  });
  await writeFile(folder.kubeconfigFile, cluster.kubeconfig, { mode: 0o600 });
  return cluster;
}

/** Starts parts side by side; each that started can be stopped, also when another failed. */
async function all<A, B, C>(
  a: Promise<A & { stop(): Promise<void> }>,
  b: Promise<B & { stop(): Promise<void> }>,
  c: Promise<C & { stop(): Promise<void> }> | undefined,
  started: (part: { stop(): Promise<void> }) => void,
): Promise<[A, B, C | undefined]> {
  const results = await Promise.allSettled([a, b, c]);
  for (const result of results)
    if (result.status === 'fulfilled' && result.value) started(result.value as { stop(): Promise<void> });
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as [A, B, C | undefined];
}

/**
 * Makes the agent's namespace where it is missing, and returns the cluster's fingerprint: the UID of its namespace kube-system, by which the
 * same folder never takes another cluster for it.
 */
async function prepareCluster(kubeconfig: string): Promise<string> {
  const api = new KubernetesApi({ connection: Connection.load({ kubeconfig }), clock: new SystemClock() });
  try {
    const system = await api.get(resources.namespaces, { name: 'kube-system' });
    await api.create(resources.namespaces, {}, { metadata: { name: AGENT_NAMESPACE } }).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
    return system.metadata.uid;
  } catch (error) {
    throw new Error(`the cluster of ${kubeconfig} cannot be used: ${(error as Error).message}`, { cause: error });
  } finally {
    await api.close();
  }
}

/** Registers the cluster, or asks for another join token when it is known. A token that nobody uses does no harm: it ends within an hour. */
async function registered(apiUrl: string, id: string): Promise<string> {
  const post = (path: string, body: unknown): Promise<Response> =>
    fetch(`${apiUrl}/api/v1/clusters${path}`, {
      method: 'POST',
      redirect: 'error',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const known = await fetch(`${apiUrl}/api/v1/clusters/${id}`, { redirect: 'error' });
  const answer = known.ok ? await post(`/${id}/join-token`, {}) : await post('', { id });
  const body = (await answer.json()) as { token?: string; joinToken?: { token: string }; detail?: string };
  const token = body.joinToken?.token ?? body.token;
  if (!answer.ok || !token) throw new Error(`the cluster could not be registered: ${body.detail ?? answer.status}`);
  return token;
}

function somethingListens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
