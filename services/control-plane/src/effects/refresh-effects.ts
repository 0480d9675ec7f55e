import { EFFECT_ACTIONS, parseStreamId, wantsPlacement, type ContainerGroupState } from '#libs/domain';
import type { EffectRow } from '#libs/event-store';
import type { EachRow } from './each-row.ts';
import { claimOf, EffectHandler, LEASE_MS, type Releases } from './held-effect.ts';
import { loadStates } from './loaded-row.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** An agent that did not answer is asked again; its answer ends the row. */
const ASK_AGAIN_MS = 60_000;

/** Refresh rows: asks agents for the intents of pods whose tokens are too old, or whose secrets are not there. One command for each cluster. */
export class RefreshEffects extends EffectHandler {
  readonly kind = 'Refresh';
  readonly action = EFFECT_ACTIONS.Refresh;
  readonly concurrency = 200;
  readonly leaseMs = LEASE_MS;
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly rows: EachRow;

  constructor(parts: EffectParts, tools: { releases: Releases; rows: EachRow }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.rows = tools.rows;
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, (some) => loadStates(this.parts.store, some));
    const clusters = new Map<string, EffectRow[]>();
    for (const { row, state } of loaded) {
      const wanted = await this.rows.attempt(row, () => this.wanted(row, state));
      if (!wanted?.result) {
        settled(row);
        continue;
      }
      const { clusterId } = wanted.result;
      clusters.set(clusterId, [...(clusters.get(clusterId) ?? []), row]);
    }
    // A cluster that cannot be spoken to keeps nothing from the others, nor do they wait while it is tried.
    await Promise.all(
      [...clusters].map(async ([clusterId, asked]) => {
        const uids = asked.flatMap(({ streamId }) => parseStreamId(streamId)?.podUid ?? []);
        const sending = this.ask(clusterId, uids);
        await this.rows.all(asked, settled, async (row) => {
          await sending;
          await this.releases.release(row, { afterMs: ASK_AGAIN_MS, notSent: true });
        });
      }),
    );
  }

  /** The pod of a row that still waits for its intent; the row of another ends. */
  private async wanted(row: EffectRow, state: ContainerGroupState) {
    const ids = parseStreamId(row.streamId);
    if (ids && (wantsPlacement(state) || state.parked)) return ids;
    await this.parts.streams.execute(row.streamId, [], { actor: ACTOR, claim: claimOf(row) });
    return undefined;
  }

  private async ask(clusterId: string, uids: readonly string[]): Promise<void> {
    const { agents, clock } = this.parts;
    const at = new Date(clock.now()).toISOString();
    await agents.sendCommand(clusterId, { kind: 'Command', name: 'Refresh', at, uids: [...uids] });
  }
}
