import pg from 'pg';
import { topics } from '#libs/contracts';
import { streamIdOf } from '#libs/domain';
import { KafkaMessaging } from '#libs/messaging';
import { eventually } from '#libs/testing';
import { speakAs, type Voice } from './agent-of-one-call.ts';
import { atMost, milliseconds, percentile, ratio, type Figure } from './figures.ts';
import { LoudAgent } from './loud-agent.ts';
import { ProcessorTime } from './processor-time.ts';
import { residentBytes } from './resident-memory.ts';
import { startRig, type Undo } from './rig.ts';
import { sealedIntent } from './sealed-intents.ts';

const CALM = 3;
/** Intents a second of all calm clusters together. */
const CALM_RATE = 20;
const WARM_UP = 200;
/** Each is a stretch without the noise and one beside it: whatever else the machine does meets both alike. */
const ROUNDS = 5;
/** Unmeasured, at each change: a backlog of noise is still being read, or has not begun. */
const BETWEEN = 60;

/**
 * From the sending of an intent to its acceptance, for clusters that behave, beside one that sends bytes of chance and every value at its bound and
 * beyond, a hundred a second. Baseline: the same without it, by turns.
 */
export async function noisy(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const rig = await startRig(undo, profile);
  const { url, process: controlPlane } = await rig.controlPlane({ roles: 'api,intake' });
  const messaging = new KafkaMessaging({ brokers: rig.brokers, clientId: 'calm', security: { kind: 'plaintext' } });
  undo.add(() => messaging.close());
  const pool = new pg.Pool({ connectionString: rig.databaseUrl, max: 2 });
  pool.on('error', () => undefined);
  undo.add(() => pool.end());
  const { intents } = topics(rig.fleet);
  const calm: Voice[] = [];
  for (let n = 1; n <= CALM; n++) calm.push(await speakAs(url, `calm-${n}`));
  const voice = await speakAs(url, 'loud');
  const loud = new LoudAgent({ brokers: rig.brokers, topic: intents, voice, victimId: 'calm-1' });
  undo.add(() => loud.stop());
  let sequence = 0;

  /** Milliseconds from sending to acceptance of so many intents of the calm clusters. */
  const run = async (count: number): Promise<readonly number[]> => {
    const sentAt = new Map<string, number>();
    const sending: Promise<void>[] = [];
    const began = Date.now();
    for (let n = 0; n < count; n++) {
      const voice = calm[n % CALM] as Voice;
      const message = await sealedIntent(voice, (sequence += 1));
      await until(began + (n * 1_000) / CALM_RATE);
      sentAt.set(streamIdOf(voice.clusterId, message.key.slice(message.key.indexOf('/') + 1)), Date.now());
      sending.push(messaging.publish(intents, [message]));
    }
    await Promise.all(sending);
    const taken = await eventually(
      async () => {
        const { rows } = await pool.query<{ stream_id: string; at: Date }>(
          'select stream_id, recorded_at as at from es.event where stream_id = any ($1) and version = 1',
          [[...sentAt.keys()]],
        );
        return rows.length === count && rows;
      },
      { what: `${count} intents of calm clusters are accepted`, deadlineMs: 180_000, everyMs: 250 },
    );
    return taken.map(({ stream_id, at }) => at.getTime() - (sentAt.get(stream_id) as number));
  };

  const count = Math.ceil(pods / ROUNDS);
  const time = new ProcessorTime({ ...rig.processes });
  const rounds: { readonly alone: readonly number[]; readonly beside: readonly number[] }[] = [];
  let made = 0;
  let processors = '';
  await run(WARM_UP);
  for (let round = 1; round <= ROUNDS; round++) {
    await loud.prepare((count + 2 * BETWEEN) / CALM_RATE);
    await run(BETWEEN);
    const alone = await run(count);
    loud.begin();
    await run(BETWEEN);
    time.begin();
    const beside = await run(count);
    processors = time.end();
    made += await loud.end();
    rounds.push({ alone, beside });
  }

  const { rows } = await pool.query<{ rows: string; bytes: string }>(
    `select count(*) as rows, pg_total_relation_size('fleet.quarantine') as bytes from fleet.quarantine`,
  );
  const p99 = (samples: readonly number[]): number => percentile(samples, 0.99);
  const ratios = rounds.map(({ alone, beside }) => p99(beside) / p99(alone));
  const both = (samples: readonly number[]): string =>
    `p50 ${milliseconds(percentile(samples, 0.5))}, p99 ${milliseconds(p99(samples))}, worst ${milliseconds(Math.max(...samples))}`;
  const p99s = (of: 'alone' | 'beside'): string => rounds.map((round) => milliseconds(p99(round[of]))).join(', ');
  const median = percentile(ratios, 0.5);
  return [
    {
      what: `baseline: ${count * ROUNDS} intents of calm clusters, sent → accepted`,
      value: both(rounds.flatMap(({ alone }) => alone)),
    },
    {
      what: `… beside ${LoudAgent.perSecond} messages a second of a loud one (${made} in all)`,
      value: both(rounds.flatMap(({ beside }) => beside)),
    },
    { what: 'p99 of each round, without and beside it', value: `${p99s('alone')}; ${p99s('beside')}` },
    {
      what: `p99, of the baseline: median of ${ROUNDS} rounds`,
      value: `${ratio(median)} (${ratios.map(ratio).join(', ')})`,
      aim: atMost(3, median, ratio),
    },
    {
      what: 'quarantine',
      value: `${rows[0]!.rows} rows, ${Math.round(Number(rows[0]!.bytes) / 1_048_576)} MiB`,
    },
    {
      what: 'resident memory of the control plane',
      value: `${Math.round(residentBytes(controlPlane.pid) / 1_048_576)} MiB`,
    },
    { what: 'processors beside it, last round', value: processors },
  ];
}

async function until(at: number): Promise<void> {
  const ms = at - Date.now();
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
