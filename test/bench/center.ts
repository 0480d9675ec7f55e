import pg from 'pg';
import { topics } from '#libs/contracts';
import { KafkaMessaging, type OutgoingMessage } from '#libs/messaging';
import { eventually } from '#libs/testing';
import { speakAs } from './agent-of-one-call.ts';
import { rate, seconds, type Figure } from './figures.ts';
import { ProcessorTime } from './processor-time.ts';
import { residentBytes } from './resident-memory.ts';
import { startRig, type Undo } from './rig.ts';
import { sealedIntent } from './sealed-intents.ts';

const WARM_UP = 100;

/**
 * The control plane's part of a pod's way, alone: from intents in Kafka to the status Running on the cluster's topic, without Kubernetes and
 * agents. The cloud has no limits and takes no time. What counts is the processor time of a pod; baseline: the same of intake alone is in `intents`.
 */
export async function center(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const rig = await startRig(undo, profile);
  const simulator = await rig.simulator({ latencies: { factor: 0 }, buckets: { '*': null }, account: { maxCpu: 1e9 } });
  const { url, process: controlPlane } = await rig.controlPlane({ simulator });
  const messaging = new KafkaMessaging({ brokers: rig.brokers, clientId: 'bench', security: { kind: 'plaintext' } });
  undo.add(() => messaging.close());
  const voice = await speakAs(url, 'center');
  const running = new Set<string>();
  let statuses = 0;
  const consumer = await messaging.consume({
    topics: [topics(rig.fleet).cluster(voice.clusterId)],
    group: 'bench-center',
    handle: ({ messages }) => {
      for (const { key, value } of messages) {
        statuses += 1;
        if (value !== null && Buffer.from(value).includes('"phase":"Running"')) running.add(key);
      }
      return Promise.resolve();
    },
  });
  undo.add(() => consumer.stop());
  const database = new pg.Client({ connectionString: rig.databaseUrl });
  await database.connect();
  undo.add(() => database.end());

  let sequence = 0;
  const run = async (count: number): Promise<number> => {
    const messages: OutgoingMessage[] = [];
    for (let index = 0; index < count; index++) messages.push(await sealedIntent(voice, (sequence += 1)));
    const began = performance.now();
    for (let from = 0; from < count; from += 100) {
      await messaging.publish(topics(rig.fleet).intents, messages.slice(from, from + 100));
    }
    await eventually(() => Promise.resolve(running.size >= sequence), {
      what: `${sequence} pods are Running for their cluster`,
      deadlineMs: 60_000 + count * 60,
      everyMs: 20,
    });
    return performance.now() - began;
  };
  await run(WARM_UP);
  const before = { statuses, commits: await commitsOf(database) };
  const time = new ProcessorTime({ ...rig.processes });
  time.begin();
  const ms = await run(pods);
  const processors = time.end({ count: pods, unit: 'pod' });
  const each = (count: number): string => (count / pods).toFixed(1);
  return [
    { what: `${pods} pods, intent → Running on the cluster's topic`, value: seconds(ms) },
    { what: 'pods', value: rate((pods / ms) * 1_000, 'pods') },
    {
      what: 'statuses and transactions of a pod',
      value: `${each(statuses - before.statuses)}, ${each((await commitsOf(database)) - before.commits)}`,
    },
    {
      what: 'resident memory of the control plane',
      value: `${Math.round(residentBytes(controlPlane.pid) / 1_048_576)} MiB`,
    },
    { what: 'processors', value: processors },
  ];
}

async function commitsOf(database: pg.Client): Promise<number> {
  await database.query('select pg_stat_force_next_flush()');
  const { rows } = await database.query<{ commits: string }>(
    'select xact_commit as commits from pg_stat_database where datname = current_database()',
  );
  return Number(rows[0]!.commits);
}
