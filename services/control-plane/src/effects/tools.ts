import { AsideItems } from '#libs/observability';
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
  /** Rows that fail while the others go on. */
  readonly aside: AsideItems;
}

export function effectTools(
  parts: Pick<EffectParts, 'queue' | 'gates' | 'clock' | 'random' | 'logger' | 'metrics'>,
): EffectTools {
  const { queue, gates, clock, random, logger } = parts;
  const releases = new Releases(queue, random);
  const metrics = effectMetrics(parts.metrics);
  const aside = new AsideItems({ ...parts, loop: 'effects' });
  const rows = new EachRow({ queue, releases, aside, metrics, logger });
  return { releases, views: new FleetViews(gates, clock), metrics, rows, aside };
}
