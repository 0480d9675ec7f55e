import {
  isFinalStatus,
  lastSight,
  placeOfGroup,
  provesGone,
  READS_APART_MS,
  wasShown,
  type ContainerGroupCommand,
  type ContainerGroupState,
  type GroupSnapshot,
} from '#libs/domain';
import type { EciClient } from '#libs/eci';
import type { EffectChange, EffectRow } from '#libs/event-store';
import { laneOfEffect } from '../streams/lanes.ts';
import type { EachRow } from './each-row.ts';
import { claimOf, EffectHandler, waitedMs, type Releases } from './held-effect.ts';
import { loadStates, type LoadedRow } from './loaded-row.ts';
import type { EffectMetrics } from './metrics.ts';
import { ACTOR, type EffectParts } from './ports.ts';

/** Ids of one read (ECI docs: 20). */
const IDS = 20;
/** Groups kept in mind as witnesses of each place. */
const WITNESSES = 200;
/** A group that may not be shown yet is looked for this often, and one that only time proves gone this often. */
const LOOK_AGAIN_MS = 2_000;
const LOOK_ONCE_MORE_MS = READS_APART_MS / 2;
/** A group that is still there so long after its delete was accepted is deleted once more: it may have been accepted before the cloud knew the group. */
const DELETE_AGAIN_MS = 120_000;

/**
 * Confirm rows: prove that a group is gone after the cloud accepted our delete. Proof is a read by id that returned another known group but not
 * this one, or NotFound to a second delete, or two reads 10 s apart. A group that no read has shown yet may merely not be shown yet: for a minute
 * only NotFound to a delete proves that it is gone. A group that is still there is observed on the way.
 */
export class ConfirmEffects extends EffectHandler {
  readonly kind = 'Confirm';
  private readonly parts: EffectParts;
  private readonly releases: Releases;
  private readonly metrics: EffectMetrics;
  private readonly rows: EachRow;
  /** Groups that were seen lately, by place: a read that returns one of them was allowed to see and did look. */
  private readonly witnesses = new Map<string, Set<string>>();

  constructor(parts: EffectParts, tools: { releases: Releases; metrics: EffectMetrics; rows: EachRow }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.metrics = tools.metrics;
    this.rows = tools.rows;
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
      // Two places stay free for witnesses.
      for (let start = 0; start < work.length; start += IDS - 2) {
        const part = work.slice(start, start + IDS - 2);
        await this.readPart(part);
        for (const { row } of part) settled(row);
      }
    }
  }

  /** The state of a row whose group is to be proven gone; the row of another ends. */
  private async awaited(row: EffectRow, state: ContainerGroupState): Promise<ContainerGroupState | undefined> {
    if (isAwaited(state, row.key)) return state;
    await this.parts.streams.execute(row.streamId, [], { actor: ACTOR, known: state, claim: claimOf(row) });
    return undefined;
  }

  /** A place whose cloud cannot be asked keeps the other places from nothing. */
  private async readPart(part: readonly LoadedRow[]): Promise<void> {
    try {
      await this.read(part);
    } catch (error) {
      for (const { row } of part) await this.rows.giveBack(row, error);
    }
  }

  private async read(work: readonly LoadedRow[], mayLook = true): Promise<void> {
    const [one] = work;
    if (!one) return;
    const { accountId, region } = placeOfGroup(one.state, one.row.key);
    const place = `${accountId}/${region}`;
    const client = await this.parts.clients.for(accountId, region);
    const wanted = new Set(work.map(({ row }) => row.key));
    const witnesses = [...(this.witnesses.get(place) ?? [])].filter((id) => !wanted.has(id)).slice(-2);
    const answer = await client.describe([...wanted, ...witnesses]);
    if (answer.kind !== 'done') {
      if (answer.kind === 'refused' && answer.class === 'THROTTLED') {
        this.metrics.throttled.inc({ action: 'describe' });
        await this.parts.queue.laneThrottled(one.row.lane);
      }
      for (const { row } of work) {
        const afterMs = this.releases.pause(row.attempts, { baseMs: 1_000, capMs: 15_000 });
        await this.releases.release(row, { afterMs, notSent: true });
      }
      return;
    }
    const seen = new Map(answer.value.map(({ snapshot }) => [snapshot.containerGroupId, snapshot]));
    this.remember(place, witnesses, seen);
    // Nobody was there to prove that the read did look: most likely another group runs, and the same read with it settles the matter at once.
    if (seen.size === 0 && mayLook && (await this.findWitnesses(place, client))) return this.read(work, false);
    await Promise.all(
      work.map(({ row, state }) => {
        const snapshot = seen.get(row.key);
        return this.rows.attempt(row, () =>
          snapshot ? this.stillThere(row, state, snapshot) : this.missing(row, state, client, seen.size > 0),
        );
      }),
    );
  }

  /** Looks for groups of the fleet that are there now; whether there are any. */
  private async findWitnesses(place: string, client: EciClient): Promise<boolean> {
    const answer = await client.list({ fleet: this.parts.fleet });
    if (answer.kind !== 'done') return false;
    this.remember(place, [], new Map(answer.value.groups.map(({ snapshot }) => [snapshot.containerGroupId, snapshot])));
    return (this.witnesses.get(place)?.size ?? 0) > 0;
  }

  /** Groups that ended are no good witnesses: the cloud forgets them. */
  private remember(place: string, asked: readonly string[], seen: ReadonlyMap<string, GroupSnapshot>): void {
    const known = this.witnesses.get(place) ?? new Set();
    this.witnesses.set(place, known);
    for (const id of asked) if (!seen.has(id)) known.delete(id);
    for (const [id, { status }] of seen) {
      known.delete(id);
      if (!isFinalStatus(status) && status !== 'Terminating') known.add(id);
    }
    for (const id of known) {
      if (known.size <= WITNESSES) break;
      known.delete(id);
    }
  }

  private async missing(
    row: EffectRow,
    state: ContainerGroupState,
    client: EciClient,
    witnessed: boolean,
  ): Promise<void> {
    const containerGroupId = row.key;
    const gone = (evidence: string) =>
      this.parts.streams.execute(
        row.streamId,
        { type: 'RecordGone', containerGroupId, evidence },
        { actor: ACTOR, known: state, claim: claimOf(row) },
      );
    const missed = { shown: wasShown(state, containerGroupId), witnessed, waitedMs: waitedMs(row, 'missedMs') };
    if (provesGone(missed)) {
      const seconds = Math.round(missed.waitedMs / 1000);
      await gone(
        witnessed
          ? 'after our delete a read by id returned another group, but not this one'
          : `after our delete reads by id did not return it for ${seconds} s`,
      );
      return;
    }
    if (missed.waitedMs % READS_APART_MS === 0) {
      const second = await client.delete(containerGroupId);
      if (second.kind === 'not-found') {
        await gone('the cloud answered NotFound to a second delete');
        return;
      }
    }
    await this.releases.wait(row, 'missedMs', missed.shown ? LOOK_ONCE_MORE_MS : LOOK_AGAIN_MS);
  }

  private async stillThere(row: EffectRow, state: ContainerGroupState, snapshot: GroupSnapshot): Promise<void> {
    const { streams } = this.parts;
    const containerGroupId = row.key;
    const commands: ContainerGroupCommand[] = [{ type: 'Observe', snapshot, knew: lastSight(state, containerGroupId) }];
    const waited = waitedMs(row, 'presentMs');
    const again = waited > DELETE_AGAIN_MS && snapshot.status !== 'Terminating';
    const { after } = await streams
      .execute(row.streamId, commands, {
        actor: ACTOR,
        causationId: `effect:${row.kind}/${row.key}`,
        known: state,
        effects: (decided) => (again ? [deleteAgain(row, decided.after)] : []),
      })
      .then((result) => (result.kind === 'done' ? result : { after: state }));
    // A twin that ended by itself, or a group that was found gone, needs no further proof.
    if (!isAwaited(after, containerGroupId)) return;
    const afterMs = waited < 15_000 ? 1_000 : waited < 120_000 ? 3_000 : 30_000;
    // It was shown: what was missed before counts no more.
    await this.releases.wait(row, 'presentMs', afterMs, { data: {} });
  }
}

function deleteAgain(row: EffectRow, state: ContainerGroupState): EffectChange {
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
