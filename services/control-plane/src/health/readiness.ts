import type { Pool } from 'pg';
import { errorMessage, type AsideItem, type Metrics } from '#libs/observability';
import type { Messaging } from '#libs/messaging';
import { Loop, type Clock, type Random } from '#libs/runtime';
import type { InsecureTransport } from '#libs/transport';
import type { RunningRole } from '../running-role.ts';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong, when something is. */
  readonly reason?: string;
  /** Since when, ISO 8601; to within five seconds. */
  readonly since?: string;
}

/** Touches nothing, and is refused by a server that takes no writes (a standby, one that was demoted). */
const TAKES_WRITES = 'select from fleet.cluster limit 0 for update';
const PATIENCE_MS = 2_000;
const LOOK_EVERY_MS = 5_000;
/** Items of one answer. */
const MOST_ASIDE = 50;

/** Whether this process can do its work now, and if not, why and since when. It looks by itself as well, so that `since` does not hang on who asks. */
export class Readiness {
  /** What leaves this machine in a way that somebody had to allow; it makes no process unready. */
  readonly insecureTransports: readonly InsecureTransport[];
  private readonly pool: Pool;
  private readonly messaging: Messaging;
  private readonly clock: Clock;
  private readonly gauge;
  private readonly since = new Map<string, number>();
  private readonly looking: Loop;
  private roles: ReadonlyMap<string, RunningRole> | undefined;
  private stopping = false;
  private asking: Promise<string | undefined> | undefined;

  constructor(parts: {
    readonly pool: Pool;
    readonly messaging: Messaging;
    readonly clock: Clock;
    readonly random: Random;
    readonly metrics: Metrics;
    readonly insecureTransports: readonly InsecureTransport[];
  }) {
    this.insecureTransports = parts.insecureTransports;
    const insecure = parts.metrics.gauge(
      'eci_fleet_insecure_transport',
      'Settings by which something leaves this machine without being encrypted and authenticated, as allowed',
      ['setting'],
    );
    for (const { setting } of parts.insecureTransports) insecure.set({ setting }, 1);
    this.pool = parts.pool;
    this.messaging = parts.messaging;
    this.clock = parts.clock;
    this.gauge = parts.metrics.gauge(
      'eci_fleet_not_ready_seconds',
      'How long a part that this process needs has not worked; 0 = it works',
      ['check'],
    );
    this.looking = new Loop({
      name: 'readiness',
      clock: parts.clock,
      random: parts.random,
      idleMs: LOOK_EVERY_MS,
      step: async () => {
        await this.checks();
        // Lists forget what is nobody's concern any more, and so do the gauges.
        this.setAside();
        return 'idle';
      },
      // A check that fails is an answer.
      onError: () => undefined,
    });
    this.looking.start();
  }

  close(): Promise<void> {
    return this.looking.stop();
  }

  /** All roles have been started. */
  started(roles: ReadonlyMap<string, RunningRole>): void {
    this.roles = roles;
  }

  stop(): void {
    this.stopping = true;
  }

  async checks(): Promise<readonly Check[]> {
    const database = await this.database();
    const roles = [...(this.roles ?? [])].map(([name, role]) => this.check(`role ${name}`, role.trouble()));
    const start = this.stopping
      ? 'stopping'
      : this.roles === undefined
        ? 'starting: waiting for what it needs'
        : undefined;
    return [
      this.check('postgresql', database),
      this.check('messaging', this.messaging.trouble()),
      this.check('start', start),
      ...roles,
    ];
  }

  /** What loops have set aside while the rest goes on, the longest first; it makes no process unready. At most {@link MOST_ASIDE}. */
  setAside(): readonly AsideItem[] {
    const items = [...(this.roles?.values() ?? [])].flatMap((role) => role.setAside());
    return items.sort((a, b) => a.since.localeCompare(b.since)).slice(0, MOST_ASIDE);
  }

  private check(name: string, reason: string | undefined): Check {
    const now = this.clock.now();
    if (reason === undefined) {
      this.since.delete(name);
      this.gauge.set({ check: name }, 0);
      return { name, ok: true };
    }
    const since = this.since.get(name) ?? now;
    this.since.set(name, since);
    this.gauge.set({ check: name }, (now - since) / 1000);
    return { name, ok: false, reason, since: new Date(since).toISOString() };
  }

  /** Anybody may ask, and as often as they like: one question at a time goes to the database, for all who ask meanwhile. */
  private database(): Promise<string | undefined> {
    this.asking ??= this.askDatabase().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async askDatabase(): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(`no answer within ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
    });
    try {
      return await Promise.race([this.pool.query(TAKES_WRITES).then(() => undefined, errorMessage), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
