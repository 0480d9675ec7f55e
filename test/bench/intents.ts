import pg from 'pg';
import { topics } from '#libs/contracts';
import { KafkaMessaging, type OutgoingMessage } from '#libs/messaging';
import { eventually } from '#libs/testing';
import { speakAs } from './agent-of-one-call.ts';
import { rate, ratio, seconds, type Figure } from './figures.ts';
import { plainInsert } from './plain-insert.ts';
import { ProcessorTime } from './processor-time.ts';
import { startRig, type Undo } from './rig.ts';
import { sealedIntent } from './sealed-intents.ts';

const WARM_UP = 500;
/** As many as one batch of intake may have. */
const BATCH = 500;

/**
 * How fast a backlog of intents becomes events: fetched from the broker, opened, checked, mapped, decided, sealed anew and committed with their
 * work and the offset. The control plane stands still while the backlog is written, so that nothing but its own work is measured.
 */
export async function intents(undo: Undo, pods: number, profile: string | undefined): Promise<readonly Figure[]> {
  const rig = await startRig(undo, profile);
  const { url, process: controlPlane } = await rig.controlPlane({ roles: 'api,intake' });
  const voice = await speakAs(url, 'backlog');
  const pool = new pg.Pool({ connectionString: rig.databaseUrl, max: 2 });
  pool.on('error', () => undefined);
  undo.add(() => pool.end());
  const messaging = new KafkaMessaging({
    brokers: rig.brokers,
    clientId: 'bench',
    security: { kind: 'plaintext' },
  });
  undo.add(() => messaging.close());
  const topic = topics(rig.fleet).intents;
  const taken = async (): Promise<number> =>
    Number((await pool.query('select coalesce(sum(next_offset), 0) as sum from es.inbox_offset')).rows[0].sum);
  const untilTaken = (count: number, deadlineMs: number): Promise<unknown> =>
    eventually(async () => (await taken()) >= count, {
      what: `intake has taken ${count} intents`,
      deadlineMs,
      everyMs: 50,
    });

  await publish(messaging, topic, await sealedBacklog(voice, 1, WARM_UP));
  await untilTaken(WARM_UP, 60_000);

  const backlog = await sealedBacklog(voice, WARM_UP + 1, pods);
  const bytes = backlog.reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0) / pods;
  controlPlane.pause();
  await publish(messaging, topic, backlog);
  const time = new ProcessorTime({ ...rig.processes });
  time.begin();
  const began = Date.now();
  controlPlane.resume();
  await untilTaken(WARM_UP + pods, 30_000 + pods * 10);
  const processors = time.end();
  const { rows } = await pool.query<{ ended: Date; events: string }>(
    'select max(recorded_at) as ended, count(*) as events from es.event',
  );
  const ms = rows[0]!.ended.getTime() - began;
  const events = Number(rows[0]!.events);
  if (events !== WARM_UP + pods) throw new Error(`${WARM_UP + pods} intents became ${events} events`);

  await controlPlane.stop();
  await pool.query('checkpoint');
  const plainMs = await plainInsert(pool, BATCH);
  const ours = (pods / ms) * 1_000;
  const plain = (events / plainMs) * 1_000;
  return [
    { what: `${pods} intents of ${Math.round(bytes)} bytes`, value: seconds(ms) },
    { what: 'intents → events', value: rate(ours, 'events') },
    { what: 'baseline: plain insert of the same rows', value: rate(plain, 'events') },
    { what: 'of the baseline', value: ratio(ours / plain) },
    { what: 'processors', value: processors },
  ];
}

async function sealedBacklog(
  voice: Awaited<ReturnType<typeof speakAs>>,
  from: number,
  count: number,
): Promise<readonly OutgoingMessage[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => sealedIntent(voice, from + index)));
}

async function publish(messaging: KafkaMessaging, topic: string, messages: readonly OutgoingMessage[]): Promise<void> {
  for (let from = 0; from < messages.length; from += 100) {
    await messaging.publish(topic, messages.slice(from, from + 100));
  }
}
