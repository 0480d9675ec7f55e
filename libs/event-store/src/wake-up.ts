import pg from 'pg';
import { backoffMs, type Clock, type Random } from '#libs/runtime';
import type { Nudge } from './nudge.ts';
import { PATIENCE } from './pool.ts';

interface WakeUpOptions {
  readonly databaseUrl: string;
  /** What the server shows the connection as; default `eci-fleet wake-up`. */
  readonly applicationName?: string;
  /** Appends of this process go out through it, those of others come in. */
  readonly appended: Nudge;
  readonly clock: Clock;
  readonly random: Random;
  /** Told when the connection is lost; it is made anew by itself. */
  readonly onError?: (error: unknown) => void;
}

const CHANNEL = 'es_appended';
/** Each notification takes a lock of the whole server when it commits: more of them cost appends a third of their speed. */
const AT_MOST_EVERY_MS = 100;

/**
 * Tells the other processes that something was appended, at most once per 100 ms, and nudges this one when they did. Hints only: who waits for
 * events polls as well. One connection of its own, outside any transaction, made anew after any error and every five minutes: who only listens is
 * not told that its server was demoted.
 */
export class WakeUp {
  private readonly options: WakeUpOptions;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private speaker: { readonly client: pg.Client; readonly lose: (error: unknown) => void } | undefined;
  private pending = false;

  constructor(options: WakeUpOptions) {
    this.options = options;
  }

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { appended, clock, random, onError } = this.options;
    const { signal } = this.stopping;
    const stopListening = appended.on((origin) => {
      if (origin === 'here') void this.notifySoon();
    });
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.listen(() => (failures = 0));
      } catch (error) {
        onError?.(error);
        if (!signal.aborted)
          await clock.sleep(200 + backoffMs(++failures, { baseMs: 500, capMs: 10_000 }, random), signal);
      }
    }
    stopListening();
  }

  /** Resolves when stopped, or when the connection has lived long enough; rejects when it is lost. */
  private async listen(connected: () => void): Promise<void> {
    const { databaseUrl, clock } = this.options;
    const client = new pg.Client({
      ...PATIENCE,
      connectionString: databaseUrl,
      application_name: this.options.applicationName ?? 'eci-fleet wake-up',
    });
    const { promise: lost, reject: lose } = Promise.withResolvers<never>();
    client.on('error', lose);
    client.on('end', () => lose(new Error('the connection for wake-ups was closed')));
    lost.catch(() => {});
    const left = new AbortController();
    const { signal } = this.stopping;
    try {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      client.on('notification', (message) => {
        if (message.processId !== rows[0]!.pid) this.options.appended.nudge('elsewhere');
      });
      await client.query(`listen ${CHANNEL}`);
      this.speaker = { client, lose };
      connected();
      // Whatever was said while nobody listened.
      this.options.appended.nudge('elsewhere');
      const over = clock.sleep(PATIENCE.maxLifetimeSeconds * 1000, AbortSignal.any([signal, left.signal]));
      await Promise.race([over, lost]);
    } finally {
      left.abort();
      this.speaker = undefined;
      await client.end().catch(() => {});
    }
  }

  private async notifySoon(): Promise<void> {
    if (this.pending) return;
    this.pending = true;
    await this.options.clock.sleep(AT_MOST_EVERY_MS, this.stopping.signal);
    this.pending = false;
    // When the connection is away the hint is lost, as hints may be; one that cannot say it is left.
    const speaker = this.speaker;
    await speaker?.client.query(`notify ${CHANNEL}`).catch(speaker.lose);
  }
}
