import type { EffectRow } from '#libs/event-store';
import type { LoopStep } from '#libs/runtime';
import type { AsideItem } from '#libs/observability';
import { parseLane } from '../streams/lanes.ts';
import { SetAside } from '../streams/set-aside.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import { actionOf, crewsOf, type Crew } from './crews.ts';
import type { EffectHandler } from './held-effect.ts';
import type { EffectParts, WakeUps } from './ports.ts';
import type { EffectTools } from './tools.ts';

export interface EffectWorkerParts extends Pick<
  EffectParts,
  'queue' | 'scopes' | 'clock' | 'random' | 'ids' | 'logger' | 'metrics'
> {
  /** New work may be there. Without it the worker polls. */
  readonly wakeUps?: WakeUps;
  /** Gives the lanes of a place their quota; called once for each place, before anything is claimed in them. */
  readonly configureLanes?: (accountId: string, region: string) => Promise<void>;
}

/** Without a nudge the queue is looked at this often, and more often while rows wait for tokens. */
const POLL_MS = 250;
const POLL_TOKENS_MS = 40;

/**
 * Does what follows from events: claims due rows of every lane, with tokens of its quota, and hands them to the handler of their kind. Lanes do
 * not wait for each other; rows of a kind that it has no handler for stay where they are. Any number of replicas may run; `stop` finishes what was
 * claimed.
 */
export class EffectWorker {
  private readonly parts: EffectWorkerParts;
  private readonly tools: Pick<EffectTools, 'metrics' | 'rows' | 'aside'>;
  private readonly crews: ReadonlyMap<string, Crew>;
  private readonly loop: SupervisedLoop;
  /** Lanes that nothing could be claimed in. */
  private readonly lanesAside: SetAside<string>;
  private readonly inFlight = new Map<string, Set<EffectRow>>();
  private readonly claiming = new Set<string>();
  private readonly known = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private stopping = false;
  private unsubscribe: (() => void) | undefined;

  /** `tools`: those that the handlers were made with. Throws RangeError for handlers that do not fit together ({@link crewsOf}). */
  constructor(
    parts: EffectWorkerParts,
    tools: Pick<EffectTools, 'metrics' | 'rows' | 'aside'>,
    handlers: readonly EffectHandler[],
  ) {
    this.parts = parts;
    this.tools = tools;
    this.crews = crewsOf(handlers);
    this.lanesAside = new SetAside({ ...parts, loop: 'effects lanes' });
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
    return [...this.tools.aside.list(), ...this.lanesAside.list()];
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
    const crew = this.crews.get(actionOf(lane));
    if (!crew) return;
    await this.prepare(lane);
    const kinds = [...crew.handlers.keys()];
    while (!this.stopping) {
      const free = this.free(lane);
      if (free === 0) return;
      const { queue, ids } = this.parts;
      const rows = await queue.claim({ lane, kinds, max: free, claimId: ids.uuid(), leaseMs: crew.leaseMs });
      if (rows.length === 0) return;
      for (const handler of crew.handlers.values()) {
        const ofKind = rows.filter(({ kind }) => kind === handler.kind);
        if (ofKind.length > 0) this.work(lane, handler, ofKind);
      }
      if (rows.length < free) return;
    }
  }

  private work(lane: string, handler: EffectHandler, rows: readonly EffectRow[]): void {
    const { kind } = handler;
    const { metrics } = this.tools;
    const busy = this.busy(lane);
    const open = new Set(rows);
    for (const row of rows) busy.add(row);
    metrics.claimed.inc({ kind }, rows.length);
    metrics.inFlight.inc({ kind }, rows.length);
    const settled = (row: EffectRow): void => {
      if (!open.delete(row)) return;
      metrics.inFlight.dec({ kind });
      const wasFull = this.free(lane) === 0;
      busy.delete(row);
      if (wasFull) this.loop.nudge();
    };
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
    for (const row of rows) await this.tools.rows.giveBack(row, error);
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
    return Math.max(0, (this.crews.get(actionOf(lane))?.concurrency ?? 0) - this.busy(lane).size);
  }

  private track(work: Promise<void>): void {
    this.running.add(work);
    void work.finally(() => this.running.delete(work));
  }
}
