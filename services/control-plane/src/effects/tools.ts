import { AsideItems } from '#libs/observability';
import type { CallerSightParts } from '../evidence/may-see.ts';
import { WitnessedReads } from '../evidence/witnessed-reads.ts';
import { EachRow } from './each-row.ts';
import { FleetViews } from './fleet-view.ts';
import { Releases } from './held-effect.ts';
import { effectMetrics, type EffectMetrics } from './metrics.ts';
import type { EffectParts } from './ports.ts';

/** What the handlers of one worker share, and it with them. */
export interface EffectTools {
  readonly releases: Releases;
  readonly views: FleetViews;
  readonly metrics: EffectMetrics;
  readonly rows: EachRow;
  /** Shared by all handlers that prove absence: a group that one of them has seen is a witness for the reads of the others. */
  readonly reads: WitnessedReads;
  /** Rows that fail while the others go on. */
  readonly aside: AsideItems;
}

export function effectTools(
  parts: Pick<EffectParts, 'queue' | 'gates' | 'random' | 'logger' | 'metrics'> & CallerSightParts,
): EffectTools {
  const { queue, gates, clock, random, logger } = parts;
  const releases = new Releases(queue, random);
  const metrics = effectMetrics(parts.metrics);
  const aside = new AsideItems({ ...parts, loop: 'effects' });
  const rows = new EachRow({ queue, releases, aside, metrics, logger });
  return { releases, views: new FleetViews(gates, clock), metrics, rows, reads: new WitnessedReads(parts), aside };
}
