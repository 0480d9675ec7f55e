import {
  EFFECT_ACTIONS,
  lastSight,
  placeOfGroup,
  waitedMs,
  wasShown,
  whilePresent,
  type ContainerGroupCommand,
  type ContainerGroupState,
  type GroupSnapshot,
  type Vouched,
} from '#libs/domain';
import type { EciClient, Unanswered } from '#libs/eci';
import type { EffectChange, EffectRow } from '#libs/event-store';
import { laneOfEffect } from '../streams/lanes.ts';
import type { EachRow } from './each-row.ts';
import { claimOf, EffectHandler, LEASE_MS, type Releases } from './held-effect.ts';
import { loadStates, type LoadedRow } from './loaded-row.ts';
import type { EffectMetrics } from './metrics.ts';
import { proveDeletion } from '../evidence/deletion-proof.ts';
import { ACTOR, type EffectParts } from './ports.ts';
import type { WitnessedReads } from '../evidence/witnessed-reads.ts';

/** Confirm rows: prove that a group is gone after the cloud accepted our delete. A group that is still there is observed on the way. */
export class ConfirmEffects extends EffectHandler {
  readonly kind = 'Confirm';
  readonly action = EFFECT_ACTIONS.Confirm;
  readonly concurrency = 40;
  readonly leaseMs = LEASE_MS;
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly metrics: EffectMetrics;
  private readonly rows: EachRow;
  private readonly reads: WitnessedReads;

  constructor(
    parts: EffectParts,
    tools: { releases: Releases; metrics: EffectMetrics; rows: EachRow; reads: WitnessedReads },
  ) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.metrics = tools.metrics;
    this.rows = tools.rows;
    this.reads = tools.reads;
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, (some) => loadStates(this.parts.store, some));
    const places = new Map<string, LoadedRow[]>();
    for (const { row, state } of loaded) {
      const awaited = await this.rows.attempt(row, () => this.awaited(row, state));
      if (!awaited?.result) {
        settled(row);
        continue;
      }
      const place = JSON.stringify(placeOfGroup(state, row.key));
      places.set(place, [...(places.get(place) ?? []), { row, state }]);
    }
    for (const work of places.values()) {
      await this.readPlace(work);
      for (const { row } of work) settled(row);
    }
  }

  /** The state of a row whose group is to be proven gone; the row of another ends. */
  private async awaited(row: EffectRow, state: ContainerGroupState): Promise<ContainerGroupState | undefined> {
    if (isAwaited(state, row.key)) return state;
    await this.parts.streams.execute(row.streamId, [], { actor: ACTOR, known: state, claim: claimOf(row) });
    return undefined;
  }

  /** A place whose cloud cannot be asked keeps the other places from nothing. */
  private async readPlace(work: readonly LoadedRow[]): Promise<void> {
    try {
      await this.read(work);
    } catch (error) {
      for (const { row } of work) await this.rows.giveBack(row, error);
    }
  }

  private async read(work: readonly LoadedRow[]): Promise<void> {
    const [one] = work;
    if (!one) return;
    const place = placeOfGroup(one.state, one.row.key);
    const client = await this.parts.clients.for(place.accountId, place.region);
    const ids = work.map(({ row }) => row.key);
    const { seen, vouched, unanswered } = await this.reads.read(place, client, ids);
    for (const call of unanswered) {
      const rows = work.flatMap(({ row }) => (call.ids.has(row.key) ? [row] : []));
      await this.unanswered(rows, call.answer);
    }
    await Promise.all(
      work.map(({ row, state }) => {
        const group = seen.get(row.key);
        const absence = vouched.get(row.key);
        if (absence === undefined) return undefined;
        return this.rows.attempt(row, () =>
          group ? this.stillThere(row, state, group.snapshot) : this.missing(row, state, client, absence),
        );
      }),
    );
  }

  private async unanswered(rows: readonly EffectRow[], answer: Unanswered): Promise<void> {
    const [one] = rows;
    if (one && answer.kind === 'refused' && answer.class === 'THROTTLED') {
      this.metrics.throttled.inc({ action: 'describe' });
      await this.parts.queue.laneThrottled(one.lane);
    }
    for (const row of rows) {
      const afterMs = this.releases.pause(row.attempts, { baseMs: 1_000, capMs: 15_000 });
      await this.releases.release(row, { afterMs, notSent: true });
    }
  }

  private async missing(
    row: EffectRow,
    state: ContainerGroupState,
    client: EciClient,
    vouched: Vouched,
  ): Promise<void> {
    const containerGroupId = row.key;
    const read = { shown: wasShown(state, containerGroupId), vouched };
    const proof = await proveDeletion(row, read, () => client.delete(containerGroupId));
    if (proof.gone !== undefined) {
      await this.parts.streams.execute(
        row.streamId,
        { type: 'RecordGone', containerGroupId, evidence: proof.gone },
        { actor: ACTOR, known: state, claim: claimOf(row) },
      );
      return;
    }
    if (proof.isUnvouchedForLong)
      this.parts.logger.warn('the cloud shows no group although others should be there: nothing is taken for gone', {
        streamId: row.streamId,
        containerGroupId,
      });
    await this.releases.wait(row, 'missedMs', proof.lookAgainMs, { data: proof.data });
  }

  private async stillThere(row: EffectRow, state: ContainerGroupState, snapshot: GroupSnapshot): Promise<void> {
    const { streams } = this.parts;
    const containerGroupId = row.key;
    const commands: ContainerGroupCommand[] = [{ type: 'Observe', snapshot, knew: lastSight(state, containerGroupId) }];
    const { deleteAgain, lookAgainMs } = whilePresent(waitedMs(row, 'presentMs'), snapshot.status === 'Terminating');
    const { after } = await streams
      .execute(row.streamId, commands, {
        actor: ACTOR,
        causationId: `effect:${row.kind}/${row.key}`,
        known: state,
        effects: (decided) => (deleteAgain ? [anotherDelete(row, decided.after)] : []),
      })
      .then((result) => (result.kind === 'done' ? result : { after: state }));
    // A twin that ended by itself, or a group that was found gone, needs no further proof.
    if (!isAwaited(after, containerGroupId)) return;
    // It was shown: what was missed before counts no more.
    await this.releases.wait(row, 'presentMs', lookAgainMs, { data: {} });
  }
}

function anotherDelete(row: EffectRow, state: ContainerGroupState): EffectChange {
  const { key, tenant, priority } = row;
  return {
    op: 'put',
    kind: 'Delete',
    key,
    lane: laneOfEffect('Delete', key, state),
    tenant,
    priority,
    afterMs: 0,
    data: {},
  };
}

/** The group was known, and is not known to be gone. */
function isAwaited(state: ContainerGroupState, containerGroupId: string): boolean {
  if (state.twins[containerGroupId]) return true;
  return state.group?.containerGroupId === containerGroupId && !state.group.gone;
}
