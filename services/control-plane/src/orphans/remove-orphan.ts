import {
  isFinalStatus,
  parseOrphanStreamId,
  provesVanished,
  REMOVE_ORPHAN,
  REMOVE_ORPHAN_ACTION,
  waitedMs,
  whilePresent,
  type OrphanCommand,
  type OrphanId,
  type OrphanState,
  type Vouched,
} from '#libs/domain';
import type { DeleteAnswer, EciClient, FoundGroup } from '#libs/eci';
import type { EffectRow } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { EachRow } from '../effects/each-row.ts';
import { claimOf, EffectHandler, LEASE_MS, UNSENT_LEASE_MS, type Releases } from '../effects/held-effect.ts';
import { ACTOR, type EffectParts } from '../effects/ports.ts';
import { proveDeletion } from '../evidence/deletion-proof.ts';
import type { WitnessedReads } from '../evidence/witnessed-reads.ts';
import { streamsOf } from './known-streams.ts';
import type { OrphanStreams } from './orphan-streams.ts';

interface RemoveOrphanParts extends Pick<EffectParts, 'fleet' | 'store' | 'queue' | 'clients' | 'logger' | 'metrics'> {
  readonly orphanStreams: OrphanStreams;
}

/** A group that we did not delete, and that a direct read does not show, is looked at again. */
const NOT_SEEN_MS = 30_000;
const BUSY = { baseMs: 1_000, capMs: 30_000 };

/**
 * RemoveOrphan rows: remove orphans whose removal was asked for. Just before the call it is checked once more that the group has our tag, is open,
 * and that no stream knows it; a repeat after an unknown outcome is a second delete of the same id, which is harmless. Ends with proof of absence.
 */
export class RemoveOrphan extends EffectHandler {
  readonly kind = REMOVE_ORPHAN;
  readonly action = REMOVE_ORPHAN_ACTION;
  readonly concurrency = 100;
  readonly leaseMs = UNSENT_LEASE_MS;
  private readonly parts: RemoveOrphanParts;
  private readonly releases: Releases;
  private readonly rows: EachRow;
  private readonly reads: WitnessedReads;
  private readonly removed;

  constructor(parts: RemoveOrphanParts, tools: { releases: Releases; rows: EachRow; reads: WitnessedReads }) {
    super();
    this.parts = parts;
    this.releases = tools.releases;
    this.rows = tools.rows;
    this.reads = tools.reads;
    this.removed = parts.metrics.counter('eci_fleet_orphans_removed_total', 'Orphans that were removed on request', [
      'account',
      'region',
    ]);
  }

  async run(rows: readonly EffectRow[], settled: (row: EffectRow) => void): Promise<void> {
    const loaded = await this.rows.load(rows, settled, async (some) => {
      const states = await this.parts.orphanStreams.loadMany(some.map(({ streamId }) => streamId));
      return some.map((row) => [row, states.get(row.streamId) as OrphanState] as const);
    });
    const states = new Map(loaded);
    await this.rows.all([...states.keys()], settled, (row) => this.advance(row, states.get(row) as OrphanState));
  }

  private async advance(row: EffectRow, state: OrphanState): Promise<void> {
    const id = parseOrphanStreamId(row.streamId);
    if (!id) throw new Error(`${row.streamId} is no stream of an orphan`);
    if (state.phase !== 'removing') return this.settle(row);
    const client = await this.parts.clients.for(id.accountId, id.region);
    if (state.removal?.deleteAcceptedAt === undefined) return this.remove(row, id, state, client);
    if (await this.isHeld(row)) await this.confirm(row, id, client);
  }

  private async remove(row: EffectRow, id: OrphanId, state: OrphanState, client: EciClient): Promise<void> {
    const { queue } = this.parts;
    const read = await this.read(row, id, client);
    if (!read) return;
    const { seen, vouched } = read;
    // A delete that may have gone out was of this very group: repeating it needs no second look at its tags.
    if (!seen && !row.mayHaveBeenSent) return this.unseen(row, vouched);
    if (seen && isFinalStatus(seen.snapshot.status)) return this.ended(row, id, seen.snapshot.status);
    const closed = seen && (await this.noOrphanAnyMore(id, state, seen));
    if (closed) return this.settle(row, closed);
    if (!(await this.isHeld(row))) return;
    const answer = await this.delete(client, id);
    switch (answer.kind) {
      case 'done':
        await this.settle(row, { type: 'RecordDelete', requestId: answer.requestId });
        return queue.laneAccepted(row.lane);
      case 'not-found':
        return this.gone(row, id, 'the cloud answered NotFound to our delete');
      case 'throttled':
        await queue.laneThrottled(row.lane);
        return this.later(row, this.releases.pause(row.attempts, BUSY), true);
      case 'conflict':
        return this.later(row, this.releases.pause(row.attempts, BUSY), true);
      case 'refused':
        this.parts.logger.error('the delete of an orphan was refused', { ...id, code: answer.code });
        return this.later(row, this.releases.pause(row.attempts, { baseMs: 5_000, capMs: 60_000 }), true);
      case 'unknown':
        return this.later(row, this.releases.pause(row.attempts, BUSY), false);
    }
  }

  /** Not shown, and never deleted by us: that it is gone takes two reads that others vouch for. */
  private async unseen(row: EffectRow, vouched: Vouched): Promise<void> {
    if (provesVanished({ vouched, waitedMs: waitedMs(row, 'missedMs') })) {
      const evidence = 'missing from direct reads at least a minute apart, which returned others';
      return this.settle(row, { type: 'Close', reason: 'vanished', evidence, undeleted: true });
    }
    if (vouched === 'witness') await this.releases.wait(row, 'missedMs', NOT_SEEN_MS);
    else await this.later(row, NOT_SEEN_MS, true);
  }

  /** It ended before a delete was accepted: by itself, unless one went out whose answer nobody recorded. */
  private ended(row: EffectRow, id: OrphanId, status: string): Promise<void> {
    if (row.mayHaveBeenSent) return this.gone(row, id, `after a delete whose answer was not recorded it is ${status}`);
    return this.settle(row, { type: 'Close', reason: 'ended', evidence: `it is ${status}`, undeleted: true });
  }

  /** What became of it since it was quarantined; undefined while it still is a group of ours that no stream knows. */
  private async noOrphanAnyMore(
    id: OrphanId,
    state: OrphanState,
    { identity }: FoundGroup,
  ): Promise<OrphanCommand | undefined> {
    if (identity?.fleet !== this.parts.fleet)
      return { type: 'Close', reason: 'not-ours', evidence: 'it does not carry our tag any more' };
    const pods = [identity, state.facts].map((tags) => ({
      ...id,
      clusterId: tags?.clusterId,
      podUid: tags?.podUid,
    }));
    for (const group of pods) {
      const streamId = (await streamsOf(this.parts.store, [group])).get(id.containerGroupId);
      if (streamId !== undefined) return { type: 'Close', reason: 'claimed', evidence: 'a stream knows it', streamId };
    }
    return undefined;
  }

  private async confirm(row: EffectRow, id: OrphanId, client: EciClient): Promise<void> {
    const read = await this.read(row, id, client);
    if (!read) return;
    const { seen, vouched } = read;
    if (!seen) return this.missing(row, id, client, vouched);
    const { status } = seen.snapshot;
    if (isFinalStatus(status)) return this.gone(row, id, `after our delete it is ${status}`);
    const { deleteAgain, lookAgainMs } = whilePresent(waitedMs(row, 'presentMs'), status === 'Terminating');
    if (deleteAgain) await this.delete(client, id);
    return this.releases.wait(row, 'presentMs', lookAgainMs, { data: {} });
  }

  /** Not in the answer of a read: proven gone by NotFound to a second delete, or by what reads are worth. */
  private async missing(row: EffectRow, id: OrphanId, client: EciClient, vouched: Vouched): Promise<void> {
    // It was shown, or it would be no orphan.
    const proof = await proveDeletion(row, { shown: true, vouched }, () => this.delete(client, id));
    if (proof.gone !== undefined) return this.gone(row, id, proof.gone);
    await this.releases.wait(row, 'missedMs', proof.lookAgainMs, { data: proof.data });
  }

  private async gone(row: EffectRow, id: OrphanId, evidence: string): Promise<void> {
    await this.settle(row, { type: 'RecordRemoved', evidence });
    this.removed.inc({ account: id.accountId, region: id.region });
    this.parts.logger.info('removed an orphan', { ...id, evidence });
  }

  private async settle(row: EffectRow, ...commands: readonly OrphanCommand[]): Promise<void> {
    await this.parts.orphanStreams.execute(row.streamId, commands, { actor: ACTOR, claim: claimOf(row) });
  }

  /** The group as it is now, if the read shows it, and what it is worth that it does not. Undefined: unanswered, and the row was given back. */
  private async read(
    row: EffectRow,
    id: OrphanId,
    client: EciClient,
  ): Promise<{ readonly seen: FoundGroup | undefined; readonly vouched: Vouched } | undefined> {
    const { seen, vouched } = await this.reads.read(id, client, [id.containerGroupId]);
    const absence = vouched.get(id.containerGroupId);
    if (absence !== undefined) return { seen: seen.get(id.containerGroupId), vouched: absence };
    await this.later(row, this.releases.pause(row.attempts, BUSY), true);
    return undefined;
  }

  /** Checks the claim once more before something is sent; from then on it holds for as long as calls take. */
  private async isHeld(row: EffectRow): Promise<boolean> {
    return (await this.parts.queue.confirmClaims([row], LEASE_MS)).length > 0;
  }

  private delete(client: EciClient, { containerGroupId }: OrphanId): Promise<DeleteAnswer> {
    return client
      .delete(containerGroupId)
      .catch((error: unknown): DeleteAnswer => ({ kind: 'unknown', reason: errorMessage(error) }));
  }

  private later(row: EffectRow, afterMs: number, notSent: boolean): Promise<void> {
    return this.releases.release(row, { afterMs, notSent });
  }
}
