import { parseStreamId, wantsPlacement } from '#libs/domain';
import type { EffectRow } from '#libs/event-store';
import { claimOf, EffectHandler, type Releases } from './held-effect.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** An agent that did not answer is asked again; its answer ends the row. */
const ASK_AGAIN_MS = 60_000;

/** Refresh rows: asks agents for the intents of pods whose tokens are too old, or whose secrets are not there. One command for each cluster. */
export class RefreshEffects extends EffectHandler {
  readonly kind = 'Refresh';
  private readonly parts: EffectParts;
  private readonly releases: Releases;

  constructor(parts: EffectParts, tools: { releases: Releases }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const { streams, agents, clock } = this.parts;
    const states = await streams.loadMany(rows.map((row) => row.streamId));
    const clusters = new Map<string, { uids: string[]; rows: EffectRow[] }>();
    for (const row of rows) {
      const state = states.get(row.streamId);
      const ids = parseStreamId(row.streamId);
      if (!ids || !state || !(wantsPlacement(state) || state.parked)) {
        await streams.execute(row.streamId, [], { actor: ACTOR, claim: claimOf(row) });
        settled(row);
        continue;
      }
      const cluster = clusters.get(ids.clusterId) ?? { uids: [], rows: [] };
      clusters.set(ids.clusterId, cluster);
      cluster.uids.push(ids.podUid);
      cluster.rows.push(row);
    }
    for (const [clusterId, { uids, rows: asked }] of clusters) {
      const at = new Date(clock.now()).toISOString();
      await agents.sendCommand(clusterId, { kind: 'Command', name: 'Refresh', at, uids });
      for (const row of asked) {
        await this.releases.release(row, { afterMs: ASK_AGAIN_MS, notSent: true });
        settled(row);
      }
    }
  }
}
