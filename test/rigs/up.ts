import { dirname } from 'node:path';
import {
  createDatabase,
  migrate,
  prepareKafka,
  prepareKubernetes,
  startEciSimulator,
  startKafka,
  startKubernetes,
  startPostgres,
  terminalProgress,
} from '#libs/testing';

/** Ends one started part. */
type End = () => Promise<void>;

/** Runs everything until it is told to end; resolves with the exit code when nothing is left. */
export async function up(): Promise<number> {
  const told = untilToldToEnd();
  const ends: End[] = [];
  let code = 0;
  try {
    const variables = await Promise.race([start(ends), told.then(() => undefined)]);
    if (variables !== undefined) {
      for (const [name, value] of Object.entries(variables))
        process.stdout.write(`export ${name}=${shellWord(value)}\n`);
      process.stdout.write('ready\n');
      await told;
    }
  } catch (error) {
    code = 1;
    throw error;
  } finally {
    if (ends.length > 0) terminalProgress.say('rigs: taking everything down');
    await Promise.allSettled(ends.map((end) => end()));
    // Told to end while something still started: what it has begun ends with this process.
    process.exitCode = code;
    setImmediate(() => process.exit());
  }
  return code;
}

async function start(ends: End[]): Promise<Record<string, string>> {
  const { KAFKA_BROKERS: ownBrokers, DATABASE_URL: ownDatabase } = process.env;
  // The simulator first: it is the one that a forgotten build makes impossible. What takes minutes comes before what runs.
  const simulator = await during('ECI simulator', startEciSimulator());
  ends.push(() => simulator.stop());
  if (!ownBrokers) await prepareKafka();
  const { kubectl } = await prepareKubernetes();
  const kafka = async (): Promise<string> => {
    if (ownBrokers) return ownBrokers;
    const rig = await during('Kafka', startKafka());
    ends.push(() => rig.stop());
    return rig.brokers.join(',');
  };
  const postgres = async (): Promise<string> => {
    if (ownDatabase) {
      await migrate(ownDatabase);
      return ownDatabase;
    }
    const rig = await during('PostgreSQL', startPostgres());
    ends.push(() => rig.stop());
    const database = await createDatabase(rig.url, { name: 'eci_fleet' });
    await migrate(database.url);
    return database.url;
  };
  const kubernetes = async (): Promise<string> => {
    const rig = await during('Kubernetes', startKubernetes());
    ends.push(() => rig.stop());
    return rig.cluster.kubeconfig;
  };
  const [brokers, databaseUrl, kubeconfig] = await Promise.all([kafka(), postgres(), kubernetes()]);
  return {
    KUBECONFIG: kubeconfig,
    KAFKA_BROKERS: brokers,
    DATABASE_URL: databaseUrl,
    ECI_ENDPOINT: simulator.endpoint,
    ECI_CONTROL_URL: simulator.controlUrl,
    PATH: `${dirname(kubectl)}:${process.env['PATH'] ?? ''}`,
  };
}

async function during<T>(what: string, work: Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work;
  terminalProgress.say(`${what}: up after ${((performance.now() - began) / 1_000).toFixed(1)}s`);
  return result;
}

/**
 * Resolves at Ctrl-C, at SIGTERM, at SIGHUP, and, under `npm run`, when npm is gone: its shell passes no signal on to us.
 */
function untilToldToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
    if (process.env['npm_lifecycle_event'] === undefined) {
      // Nothing else keeps us here: the parts run in processes of their own.
      setInterval(() => undefined, 60_000);
      return;
    }
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) resolve();
    }, 500);
  });
}

function shellWord(value: string): string {
  return /^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
