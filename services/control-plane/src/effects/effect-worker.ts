import type { EffectKind } from '#libs/domain';
import type { EffectRow } from '#libs/event-store';
import type { LoopStep } from '#libs/runtime';
import { AsideItems, type AsideItem } from '#libs/observability';
import { LOCAL_LANE, parseLane } from '../streams/lanes.ts';
import { SetAside } from '../streams/set-aside.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import { ConfirmEffects } from './confirm-effects.ts';
import { CreateEffects } from './create-effects.ts';
import { DeleteEffects } from './delete-effects.ts';
import { EachRow } from './each-row.ts';
import { FleetViews } from './fleet-view.ts';
import { LEASE_MS, Releases, UNSENT_LEASE_MS, type EffectHandler } from './held-effect.ts';
import { LookUpEffects } from './look-up-effects.ts';
import { effectMetrics, type EffectMetrics } from './metrics.ts';
import { PlaceEffects } from './place-effects.ts';
import type { EffectParts, WakeUps } from './ports.ts';
import { RefreshEffects } from './refresh-effects.ts';
import { CreateSender } from './send-create.ts';

export interface EffectWorkerParts extends EffectParts {
  /** New work may be there. Without it the worker polls. */
  readonly wakeUps?: WakeUps;
  /** Gives the lanes of a place their quota; called once for each place, before anything is claimed in them. */
  readonly configureLanes?: (accountId: string, region: string) => Promise<void>;
}

/** Rows of one lane in work at the same time. Creates and deletes wait for the cloud; the others are batches. */
const CONCURRENCY: Readonly<Record<string, number>> = { create: 100, delete: 100, describe: 40, local: 200 };
const KINDS: Readonly<Record<string, readonly EffectKind[]>> = {
  create: ['Place', 'Create'],
  delete: ['Delete'],
  describe: ['LookUp', 'Confirm'],
  local: ['Refresh'],
};
/** Without a nudge the queue is looked at this often, and more often while rows wait for tokens. */
const POLL_MS = 250;
const POLL_TOKENS_MS = 40;

/**
 * Does what follows from events: claims due rows of every lane, with tokens of its quota, and hands them to the handler of their kind. Lanes do
 * not wait for each other. Any number of replicas may run; `stop` finishes what was claimed.
 */
export class EffectWorker {
  private readonly parts: EffectWorkerParts;
  private readonly metrics: EffectMetrics;
  private readonly releases: Releases;
  private readonly handlers: ReadonlyMap<string, EffectHandler>;
  private readonly loop: SupervisedLoop;
  private readonly rows: EachRow;
  private readonly aside: AsideItems;
  /** Lanes that nothing could be claimed in. */
  private readonly lanesAside: SetAside<string>;
  private readonly inFlight = new Map<string, Set<EffectRow>>();
  private readonly claiming = new Set<string>();
  private readonly known = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private stopping = false;
  private unsubscribe: (() => void) | undefined;

  constructor(parts: EffectWorkerParts) {
    this.parts = parts;
    this.metrics = effectMetrics(parts.metrics);
    this.releases = new Releases(parts.queue, parts.random);
    const views = new FleetViews(parts.gates, parts.clock);
    this.aside = new AsideItems({ ...parts, loop: 'effects' });
    this.lanesAside = new SetAside({ ...parts, loop: 'effects lanes' });
    this.rows = new EachRow({ ...parts, releases: this.releases, aside: this.aside, metrics: this.metrics });
    const tools = { releases: this.releases, views, metrics: this.metrics, rows: this.rows };
    const sender = new CreateSender(parts, tools);
    const handlers: EffectHandler[] = [
      new PlaceEffects(parts, { ...tools, sender }),
      new CreateEffects(parts, { ...tools, sender }),
      new LookUpEffects(parts, tools),
      new DeleteEffects(parts, tools),
      new ConfirmEffects(parts, tools),
      new RefreshEffects(parts, tools),
    ];
    this.handlers = new Map(handlers.map((handler) => [handler.kind, handler]));
    this.loop = new SupervisedLoop({ ...parts, name: 'effects', idleMs: POLL_MS, step: () => this.step() });
  }

  start(): void {
    this.unsubscribe = this.parts.wakeUps?.on(() => this.loop.nudge());
    this.loop.start();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.unsubscribe?.();
    await this.loop.stop();
    while (this.running.size > 0) await Promise.all(this.running);
  }

  trouble(): string | undefined {
    return this.loop.trouble();
  }

  /** What is set aside while the rest goes on. */
  setAside(): readonly AsideItem[] {
    return [...this.aside.list(), ...this.lanesAside.list()];
  }

  private async step(): Promise<LoopStep> {
    const lanes = await this.parts.queue.dueLanes();
    for (const lane of lanes) this.pump(lane);
    return lanes.length > 0 ? POLL_TOKENS_MS : 'idle';
  }

  /** Claims in one lane, unless that is happening already or the lane is full. */
  private pump(lane: string): void {
    if (this.claiming.has(lane) || this.stopping || this.free(lane) === 0 || this.lanesAside.waits(lane)) return;
    this.claiming.add(lane);
    this.track(
      this.lanesAside
        .each(
          [lane],
          (each) => each,
          (each) => this.claim(each),
        )
        .then(() => undefined)
        .catch((error: unknown) => this.parts.logger.error('could not claim effects', { lane, error }))
        .finally(() => this.claiming.delete(lane)),
    );
  }

  private async claim(lane: string): Promise<void> {
    await this.prepare(lane);
    while (!this.stopping) {
      const free = this.free(lane);
      if (free === 0) return;
      const { queue, ids } = this.parts;
      const kinds = KINDS[actionOf(lane)] ?? [];
      const rows = await queue.claim({ lane, kinds, max: free, claimId: ids.uuid(), leaseMs: leaseOf(lane) });
      if (rows.length === 0) return;
      for (const kind of kinds) {
        const ofKind = rows.filter((row) => row.kind === kind);
        if (ofKind.length > 0) this.work(lane, kind, ofKind);
      }
      if (rows.length < free) return;
    }
  }

  private work(lane: string, kind: EffectKind, rows: readonly EffectRow[]): void {
    const busy = this.busy(lane);
    const open = new Set(rows);
    for (const row of rows) busy.add(row);
    this.metrics.claimed.inc({ kind }, rows.length);
    this.metrics.inFlight.inc({ kind }, rows.length);
    const settled = (row: EffectRow): void => {
      if (!open.delete(row)) return;
      this.metrics.inFlight.dec({ kind });
      const wasFull = this.free(lane) === 0;
      busy.delete(row);
      if (wasFull) this.loop.nudge();
    };
    const handler = this.handlers.get(kind) as EffectHandler;
    this.track(
      handler
        .run(rows, settled)
        .catch((error: unknown) => this.giveBack([...open], error))
        .finally(() => rows.forEach(settled)),
    );
  }

  /** Rows that nobody finished fall due again: those that can be given back soon, the others when their claim ends. */
  private async giveBack(rows: readonly EffectRow[], error: unknown): Promise<void> {
    // It may have been sent: whoever claims it next is told.
    for (const row of rows) await this.rows.giveBack(row, error);
  }

  private async prepare(lane: string): Promise<void> {
    const place = parseLane(lane);
    if (!place) return;
    const { accountId, region } = place;
    const name = `${accountId}/${region}`;
    if (this.known.has(name)) return;
    await this.parts.scopes.ensure(accountId, region);
    await this.parts.configureLanes?.(accountId, region);
    this.known.add(name);
  }

  private busy(lane: string): Set<EffectRow> {
    let rows = this.inFlight.get(lane);
    if (!rows) this.inFlight.set(lane, (rows = new Set()));
    return rows;
  }

  private free(lane: string): number {
    return Math.max(0, (CONCURRENCY[actionOf(lane)] ?? 0) - this.busy(lane).size);
  }

  private track(work: Promise<void>): void {
    this.running.add(work);
    void work.finally(() => this.running.delete(work));
  }
}

/** Creates and deletes confirm their claims before they send. */
const leaseOf = (lane: string): number => (['create', 'delete'].includes(actionOf(lane)) ? UNSENT_LEASE_MS : LEASE_MS);

const actionOf = (lane: string): string => (lane === LOCAL_LANE ? 'local' : (parseLane(lane)?.action ?? ''));
