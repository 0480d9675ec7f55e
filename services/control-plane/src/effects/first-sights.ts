import { lastSight, placeOfGroup, wasShown, type ContainerGroupState } from '#libs/domain';
import type { EffectRow } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/**
 * Looks, before they are deleted, at groups that no read has shown yet, and says so in their streams: what a read has shown once is gone when a
 * later one lacks it, while of what was never shown nothing is proven for a minute. A look that fails keeps nobody from deleting.
 */
export class FirstSights {
  private readonly parts: EffectParts;
  private readonly metrics: EffectMetrics;

  constructor(parts: EffectParts, metrics: EffectMetrics) {
    this.parts = parts;
    this.metrics = metrics;
  }

  /** Returns the states of these rows' streams as they are after it. */
  async take(
    rows: readonly EffectRow[],
    states: ReadonlyMap<string, ContainerGroupState>,
  ): Promise<ReadonlyMap<string, ContainerGroupState>> {
    const after = new Map(states);
    const places = new Map<string, EffectRow[]>();
    for (const row of rows) {
      const state = states.get(row.streamId) as ContainerGroupState;
      if (wasShown(state, row.key)) continue;
      const place = JSON.stringify(placeOfGroup(state, row.key));
      places.set(place, [...(places.get(place) ?? []), row]);
    }
    for (const unseen of places.values()) {
      try {
        await this.look(unseen, after);
      } catch (error) {
        this.parts.logger.debug('groups were not looked at before their delete', { reason: errorMessage(error) });
      }
    }
    return after;
  }

  private async look(rows: readonly EffectRow[], states: Map<string, ContainerGroupState>): Promise<void> {
    const { clients, streams } = this.parts;
    const [one] = rows as readonly [EffectRow];
    const { accountId, region } = placeOfGroup(states.get(one.streamId) as ContainerGroupState, one.key);
    const client = await clients.for(accountId, region);
    const answer = await client.describe(rows.map(({ key }) => key));
    if (answer.kind === 'refused' && answer.class === 'THROTTLED') this.metrics.throttled.inc({ action: 'describe' });
    const found = answer.kind === 'done' ? answer.value : (answer.found ?? []);
    const seen = new Map(found.map(({ snapshot }) => [snapshot.containerGroupId, snapshot]));
    await Promise.all(
      rows.map(async ({ streamId, kind, key }) => {
        const snapshot = seen.get(key);
        if (!snapshot) return;
        const known = states.get(streamId) as ContainerGroupState;
        const causationId = `effect:${kind}/${key}`;
        const result = await streams.execute(
          streamId,
          { type: 'Observe', snapshot, knew: lastSight(known, key) },
          { actor: ACTOR, causationId, known },
        );
        if (result.kind === 'done') states.set(streamId, result.after);
      }),
    );
  }
}
