import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createDatabase,
  createTokenIssuer,
  freePort,
  RigUnavailable,
  startEciSimulator,
  startKafka,
  startPostgres,
  startProcess,
  temporaryFolder,
  type EciSimulatorRig,
  type TestProcess,
} from '#libs/testing';

const repository = join(import.meta.dirname, '..', '..');
export const ACCESS_KEY = { id: 'LTAI-eci-simulator', secret: 'eci-simulator-secret' };
export const REGION = 'cn-hangzhou';
export const VSWITCHES = ['vsw-demo-h', 'vsw-demo-i', 'vsw-demo-j', 'vsw-demo-k'] as const;
export const SECURITY_GROUP = 'sg-demo';
export const VPC = 'vpc-demo';
const FLEET = 'bench';

/** Ends what was started, the latest first. */
export class Undo {
  readonly #steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  async all(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      await step().catch((error: unknown) => process.stderr.write(`bench: cleaning up: ${String(error)}\n`));
    }
  }
}

export interface Rig {
  readonly fleet: string;
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  readonly masterKey: Uint8Array;
  /** Starts a service of the build as a process of its own; it ends, gracefully, with the bench. */
  service(name: 'control-plane' | 'agent', start: ServiceStart): Promise<TestProcess>;
  /** A control plane with these roles, with what it needs to call `simulator`. Ready when it says so. */
  controlPlane(options: {
    readonly roles?: string;
    readonly simulator?: EciSimulatorRig;
    /** Creates a minute that the account may make, and how many at once. */
    readonly quota?: { readonly perMinute: number; readonly burst: number };
  }): Promise<{ readonly url: string; readonly process: TestProcess }>;
  simulator(settings: Readonly<Record<string, unknown>>): Promise<EciSimulatorRig>;
  /** Process of each part that was started so far, by name. */
  readonly processes: Readonly<Record<string, number>>;
}

interface ServiceStart {
  readonly env: Readonly<Record<string, string>>;
  readonly ready: () => Promise<boolean>;
  /** Kept beside the profiles. */
  readonly metricsUrl: string;
  /** Before the program. */
  readonly nodeArguments?: readonly string[];
}

/** A broker and a database server of the bench's own. PostgreSQL flushes to disk as it would in production, unlike in tests. */
export async function startRig(undo: Undo, profile: string | undefined): Promise<Rig> {
  const [kafka, postgres] = await Promise.all([
    startKafka().then((rig) => (undo.add(() => rig.stop()), rig)),
    startPostgres({ settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '512MB' } }).then(
      (rig) => (undo.add(() => rig.stop()), rig),
    ),
  ]);
  const { url: databaseUrl } = await createDatabase(postgres.url, { name: 'bench' });
  const { privateJwk } = await createTokenIssuer();
  const masterKey = randomBytes(32);
  const keys = { FLEET_MASTER_KEY: masterKey.toString('base64'), FLEET_TOKEN_KEY: JSON.stringify(privateJwk) };
  const { brokers } = kafka;
  const processes: Record<string, number> = { kafka: kafka.process.pid, postgres: postgres.process.pid };

  const service: Rig['service'] = async (name, { env, ready, metricsUrl, nodeArguments = [] }) => {
    const program = join(repository, 'dist', 'services', name, 'src', 'main.js');
    if (!existsSync(program)) throw new RigUnavailable(`${program} is missing: run \`npm run build\`.`);
    if (profile !== undefined) await mkdir(profile, { recursive: true });
    const started = await startProcess({
      name,
      command: process.execPath,
      args: [
        ...nodeArguments,
        ...(profile === undefined
          ? []
          : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${name}-${Date.now()}.cpuprofile`]),
        program,
      ],
      cwd: repository,
      env: { LOG_LEVEL: 'warn', ...env },
      ready,
      readyDeadlineMs: 60_000,
    });
    // The second replica has a number.
    const replicas = Object.keys(processes).filter((it) => it.startsWith(name)).length;
    processes[replicas === 0 ? name : `${name} ${replicas + 1}`] = started.pid;
    undo.add(async () => {
      if (profile !== undefined && started.running) {
        await writeFile(join(profile, `${name}-metrics.txt`), await (await fetch(metricsUrl)).text());
      }
      await started.stop(10_000);
      await started.removeLog();
    });
    return started;
  };

  return {
    fleet: FLEET,
    databaseUrl,
    brokers,
    masterKey,
    processes,
    service,
    async controlPlane({ roles, simulator, quota = { perMinute: 600_000, burst: 10_000 } }) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      const account = {
        id: 'default',
        credential: {
          kind: 'environment',
          accessKeyIdVariable: 'ECI_ACCESS_KEY',
          accessKeySecretVariable: 'ECI_SECRET_KEY',
        },
        regions: [REGION],
        quotas: {
          create: quota,
          describe: { perMinute: 60_000, burst: 1_000 },
          status: { perMinute: 60_000, burst: 1_000 },
        },
      };
      const started = await service('control-plane', {
        // As its image does.
        nodeArguments: ['--max-semi-space-size=8'],
        metricsUrl: `${url}/metrics`,
        ready: async () => (await fetch(`${url}/health/ready`)).ok,
        env: {
          DATABASE_URL: databaseUrl,
          KAFKA_BROKERS: brokers.join(','),
          FLEET_NAME: FLEET,
          HTTP_PORT: String(port),
          ...keys,
          FLEET_ACCOUNTS: JSON.stringify([account]),
          ECI_ACCESS_KEY: ACCESS_KEY.id,
          ECI_SECRET_KEY: ACCESS_KEY.secret,
          ...(simulator === undefined ? {} : { ECI_ENDPOINT: simulator.endpoint }),
          ...(roles === undefined ? {} : { FLEET_ROLES: roles }),
        },
      });
      return { url, process: started };
    },
    async simulator(settings) {
      const folder = temporaryFolder('bench-scenario');
      undo.add(() => folder.remove());
      const file = join(folder.path, 'scenario.json');
      await writeFile(file, JSON.stringify({ seed: 1, settings }));
      if (profile !== undefined) await mkdir(profile, { recursive: true });
      const profiling = `--cpu-prof --cpu-prof-dir=${profile} --cpu-prof-name=simulator-${Date.now()}.cpuprofile`;
      const rig = await startEciSimulator({
        env: {
          ECI_SIMULATOR_SCENARIO: file,
          LOG_LEVEL: 'warn',
          ...(profile === undefined ? {} : { NODE_OPTIONS: profiling }),
        },
      });
      undo.add(() => rig.stop());
      processes['simulator'] = rig.process.pid;
      return rig;
    },
  };
}

/** Registers the bench's cluster; returns its one-time token. */
export async function registerCluster(controlPlaneUrl: string, id: string): Promise<string> {
  const answer = await postJson(`${controlPlaneUrl}/api/v1/clusters`, { id });
  return (answer as { joinToken: { token: string } }).joinToken.token;
}

/** Body of a 2xx answer; anything else throws with what was said. */
export async function postJson(url: string, body: unknown): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`POST ${url}: ${answer.status} ${text.slice(0, 300)}`);
  return JSON.parse(text);
}
