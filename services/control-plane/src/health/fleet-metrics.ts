import type { Lag, LaneDepth } from '#libs/event-store';
import type { Logger, Metrics } from '#libs/observability';
import type { Clock } from '#libs/runtime';

/** What is read from rows is read at most this often, however many scrape. */
const FRESH_MS = 5_000;
/** A scrape does not wait for rows for longer. */
const PATIENCE_MS = 2_000;

/** Metrics of this process, and those of the whole fleet that live in rows, read when somebody asks. */
export class FleetMetrics {
  private readonly metrics: Metrics;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly readLag: () => Promise<Lag>;
  private readonly readDepth: () => Promise<readonly LaneDepth[]>;
  private readonly refreshOwn: () => void;
  private readonly gauges;
  private readAt = -Infinity;
  private refreshing: Promise<void> | undefined;

  constructor(parts: {
    readonly metrics: Metrics;
    readonly clock: Clock;
    readonly logger: Logger;
    readonly readLag: () => Promise<Lag>;
    readonly readDepth: () => Promise<readonly LaneDepth[]>;
    /** Writes what this process knows by itself and keeps elsewhere. */
    readonly refreshOwn: () => void;
  }) {
    this.metrics = parts.metrics;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.readLag = parts.readLag;
    this.readDepth = parts.readDepth;
    this.refreshOwn = parts.refreshOwn;
    const { metrics } = parts;
    const work = ['kind', 'region', 'account'] as const;
    this.gauges = {
      due: metrics.gauge('eci_fleet_effects_due', 'Rows of work that may be done now', work),
      inFlight: metrics.gauge('eci_fleet_effects_in_flight', 'Rows of work that a worker holds', work),
      waiting: metrics.gauge('eci_fleet_effects_waiting', 'Rows of work that are due later', work),
      horizon: metrics.gauge(
        'eci_fleet_horizon_lag_seconds',
        'How long the oldest committed event has been hidden from readers',
      ),
      lagEvents: metrics.gauge('eci_fleet_subscription_lag_events', 'Events that a subscription has not seen', [
        'subscription',
      ]),
      lagSeconds: metrics.gauge(
        'eci_fleet_subscription_lag_seconds',
        'Age of the first event that a subscription has not seen',
        ['subscription'],
      ),
      parked: metrics.gauge('eci_fleet_subscription_parked_streams', 'Streams that a subscription could not handle', [
        'subscription',
      ]),
    };
  }

  async read(): Promise<{ readonly text: string; readonly contentType: string }> {
    this.refreshOwn();
    // The database may be away, or hang: what this process knows by itself is worth even more then.
    this.refreshing ??= this.refresh()
      .catch((error: unknown) => this.logger.warn('read the metrics of rows failed', { error }))
      .finally(() => (this.refreshing = undefined));
    const enough = new AbortController();
    await Promise.race([this.refreshing, this.clock.sleep(PATIENCE_MS, enough.signal)]);
    enough.abort();
    return { text: await this.metrics.text(), contentType: this.metrics.contentType };
  }

  private async refresh(): Promise<void> {
    if (this.clock.now() - this.readAt < FRESH_MS) return;
    const [lag, depth] = await Promise.all([this.readLag(), this.readDepth()]);
    const g = this.gauges;
    for (const gauge of [g.due, g.inFlight, g.waiting, g.lagEvents, g.lagSeconds, g.parked]) gauge.reset();
    g.horizon.set(lag.horizonLagSeconds);
    for (const { name: subscription, events, seconds, parkedStreams } of lag.subscriptions) {
      g.lagEvents.set({ subscription }, events);
      g.lagSeconds.set({ subscription }, seconds);
      g.parked.set({ subscription }, parkedStreams);
    }
    for (const { lane, kind, due, claimed, waiting } of depth) {
      const [account = '', region = ''] = lane.includes('/') ? lane.split('/') : ['', ''];
      g.due.inc({ kind, region, account }, due);
      g.inFlight.inc({ kind, region, account }, claimed);
      g.waiting.inc({ kind, region, account }, waiting);
    }
    this.readAt = this.clock.now();
  }
}
