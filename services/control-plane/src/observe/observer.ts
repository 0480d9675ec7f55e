import type { GroupSnapshot } from '#libs/domain';
import { CloudAccountUnusable, type EciClient, type EciClients } from '#libs/eci';
import type { EventStore, GateQueue } from '#libs/event-store';
import { AsideItems, type AsideItem, type Logger, type Metrics } from '#libs/observability';
import type { Clock, LoopStep, Random } from '#libs/runtime';
import { Asking } from '../accounts/ordered-eci.ts';
import type { OrphanStreams } from '../orphans/orphan-streams.ts';
import type { OrphanCases } from '../orphans/ports.ts';
import { SetAside } from '../streams/set-aside.ts';
import type { StreamCommands } from '../streams/stream-commands.ts';
import { SupervisedLoop } from '../supervised-loop.ts';
import { observeMetrics } from './metrics.ts';
import type { Orphans, Scope, Scopes } from './ports.ts';
import { ScopeObserver } from './scope-observer.ts';
import { Sights } from './sights.ts';

export interface ObserverParts {
  readonly fleet: string;
  readonly store: EventStore;
  readonly streams: StreamCommands;
  readonly clients: EciClients;
  readonly scopes: Scopes;
  readonly orphans: Orphans;
  readonly cases: OrphanCases;
  readonly orphanStreams: OrphanStreams;
  readonly gates: Pick<GateQueue, 'report'>;
  /** Names this process in leases; random at each start. */
  readonly owner: string;
  readonly configureLanes?: (accountId: string, region: string) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const LOOK_FOR_SCOPES_MS = 1_000;
const LEASE_MS = 10_000;
const RENEW_MS = 3_000;
/** How often one that does not hold a place asks for it. */
const STAND_BY_MS = 2_000;
/** How often an account that cannot be used is looked at again. */
const UNUSABLE_MS = 30_000;

interface Watch {
  readonly setAside: () => readonly AsideItem[];
  readonly loop: SupervisedLoop;
  /** Ends what the loop has begun beside itself. */
  readonly leave: () => Promise<void>;
}

/**
 * Watches every place of the cloud that is in use, and tells streams what became of their groups. Of several replicas one holds a place; the others
 * stand by. Should two watch one place for a moment, both see the same, and the second changes nothing.
 */
export class Observer {
  private readonly parts: ObserverParts;
  private readonly loop: SupervisedLoop;
  private readonly watches = new Map<string, Watch>();
  private readonly asking = new Asking();

  constructor(parts: ObserverParts) {
    this.parts = parts;
    this.loop = new SupervisedLoop({ ...parts, name: 'observe', idleMs: LOOK_FOR_SCOPES_MS, step: () => this.step() });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await Promise.all(
      [...this.watches.values()].map(async ({ loop, leave }) => {
        await loop.stop();
        await leave();
      }),
    );
  }

  trouble(): string | undefined {
    const loops = [this.loop, ...[...this.watches.values()].map(({ loop }) => loop)];
    return loops.map((loop) => loop.trouble()).find((trouble) => trouble !== undefined);
  }

  setAside(): readonly AsideItem[] {
    return [...this.watches.values()].flatMap(({ setAside }) => setAside());
  }

  private async step(): Promise<LoopStep> {
    for (const scope of await this.parts.scopes.all()) {
      const name = `${scope.accountId}/${scope.region}`;
      if (this.watches.has(name)) continue;
      const watch = this.watch(scope);
      this.watches.set(name, watch);
      watch.loop.start();
    }
    return 'idle';
  }

  private watch(scope: Scope): Watch {
    const { scopes, owner, clock } = this.parts;
    const { asking } = this;
    const metrics = observeMetrics(this.parts.metrics);
    const place = `${scope.accountId}/${scope.region}`;
    // They outlive a change of who holds the place.
    const aside = new SetAside<GroupSnapshot>({ ...this.parts, loop: `observe ${place}` });
    const passedOver = new AsideItems({ ...this.parts, loop: `observe streams ${place}` });
    let observer: ScopeObserver | undefined;
    let renewAt = 0;
    const leave = async (): Promise<void> => {
      await observer?.finish();
      if (!observer) return;
      await scopes.note(scope, owner, observer.observed);
      await scopes.leave(scope, owner);
    };
    const step = async (stopping: AbortSignal): Promise<LoopStep> => {
      if (clock.now() >= renewAt) {
        if (observer) await scopes.note(scope, owner, observer.observed);
        const held = await scopes.hold(scope, owner, LEASE_MS);
        if (!held) {
          await observer?.finish();
          observer = undefined;
          return STAND_BY_MS;
        }
        renewAt = clock.now() + RENEW_MS;
        const client = await this.clientOf(scope);
        if (!client) {
          await observer?.finish();
          observer = undefined;
          return UNUSABLE_MS;
        }
        // An account that was changed has another client; what was seen through the old one is looked up once more.
        if (observer?.client !== client) {
          const before = observer?.observed ?? held;
          await observer?.finish();
          observer = new ScopeObserver(
            { ...this.parts, scope, client, asking, sights: new Sights(asking), metrics, aside, passedOver },
            before,
          );
        }
      }
      return observer ? observer.step(stopping) : STAND_BY_MS;
    };
    const loop = new SupervisedLoop({
      ...this.parts,
      name: `observe ${place}`,
      idleMs: STAND_BY_MS,
      step,
    });
    return { loop, leave, setAside: () => [...aside.list(), ...passedOver.list()] };
  }

  /** Undefined while the account is not configured, or not for this region: nothing of ours can be there. */
  private async clientOf(scope: Scope): Promise<EciClient | undefined> {
    const { accountId, region } = scope;
    await this.parts.configureLanes?.(accountId, region);
    try {
      return await this.parts.clients.for(accountId, region);
    } catch (error) {
      if (!(error instanceof CloudAccountUnusable)) throw error;
      this.parts.logger.warn('a place cannot be observed', { ...scope, reason: error.message });
      return undefined;
    }
  }
}
