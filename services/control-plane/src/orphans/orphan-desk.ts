import {
  Absences,
  isFinalStatus,
  ORPHAN_GRACE_MS,
  orphanStreamId,
  willStay,
  type CompleteList,
  type OrphanFacts,
} from '#libs/domain';
import type { EciClient, FoundGroup } from '#libs/eci';
import type { EventStore } from '#libs/event-store';
import type { Logger } from '#libs/observability';
import type { Clock } from '#libs/runtime';
import type { WitnessedRead, WitnessedReads } from '../evidence/witnessed-reads.ts';
import type { Orphans, Scope } from '../observe/ports.ts';
import { streamsOf } from './known-streams.ts';
import type { OrphanStreams } from './orphan-streams.ts';
import type { OrphanCase, OrphanCases } from './ports.ts';

interface OrphanDeskParts {
  readonly fleet: string;
  readonly scope: Scope;
  readonly client: EciClient;
  readonly reads: WitnessedReads;
  readonly store: EventStore;
  readonly orphans: Orphans;
  readonly cases: OrphanCases;
  readonly orphanStreams: OrphanStreams;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Work on one group; it may fail without ending the round. */
  readonly one: (containerGroupId: string, work: () => Promise<void>) => Promise<void>;
}

const ACTOR = 'control-plane:observe';

/**
 * Judges the strangers of one place after each complete list: open groups with our tag that no stream knows. A young one is noted and left alone;
 * an older one that a direct read shows as well goes into quarantine. Those in quarantine that are no orphans any more are closed.
 */
export class OrphanDesk {
  private readonly parts: OrphanDeskParts;
  private readonly absences = new Absences();

  constructor(parts: OrphanDeskParts) {
    this.parts = parts;
  }

  /** Some orphan was missing from the list: a second one should follow soon. */
  get suspicious(): boolean {
    return this.absences.waiting;
  }

  /** Orphans that are open as far as we know. */
  openCases(): Promise<readonly OrphanCase[]> {
    return this.parts.cases.open(this.parts.scope);
  }

  /** `strangers`: of a complete list, open, without a stream. Returns how many of them are orphans or may become some. */
  async judge(
    strangers: readonly FoundGroup[],
    list: CompleteList,
    cases: readonly OrphanCase[],
  ): Promise<number | undefined> {
    const { orphans, scope, store } = this.parts;
    const read = await this.read(strangers.map(({ snapshot }) => snapshot.containerGroupId));
    // Nothing is concluded from half an answer; the next list comes.
    if (!read) return undefined;
    const ours = strangers.flatMap(({ snapshot }) => {
      const now = read.seen.get(snapshot.containerGroupId);
      return now && this.isOpenAndOurs(now) ? [this.factsOf(now)] : [];
    });
    const known = await streamsOf(store, ours);
    const orphaned = ours.filter(({ containerGroupId }) => !known.has(containerGroupId));
    const ages = await orphans.note(scope, orphaned);
    await orphans.keepOnly(
      scope,
      orphaned.map(({ containerGroupId }) => containerGroupId),
    );
    const open = new Map(cases.map((each) => [each.containerGroupId, each]));
    for (const facts of orphaned) {
      const age = ages.get(facts.containerGroupId) ?? 0;
      if (age >= ORPHAN_GRACE_MS && !open.has(facts.containerGroupId))
        await this.parts.one(facts.containerGroupId, () => this.quarantine(facts));
    }
    const still = new Set(orphaned.map(({ containerGroupId }) => containerGroupId));
    await this.close(
      cases.filter(({ containerGroupId }) => !still.has(containerGroupId)),
      list,
    );
    return orphaned.length;
  }

  private async quarantine(facts: OrphanFacts): Promise<void> {
    const { orphanStreams, logger } = this.parts;
    const { clusterId, podUid } = facts;
    const why =
      clusterId && podUid
        ? `it carries our tag, and cluster ${clusterId} has no stream for pod ${podUid}`
        : 'it carries our tag, and its other tags name no pod';
    const result = await orphanStreams.execute(
      orphanStreamId(facts),
      { type: 'Quarantine', facts, why },
      { actor: ACTOR },
    );
    if (result.kind !== 'done' || result.events.length === 0) return;
    const { accountId, region, containerGroupId } = facts;
    logger.warn('put an orphan into quarantine', { accountId, region, containerGroupId, why });
  }

  /** Cases that the list does not show as orphans: claimed by a stream, ended, of somebody else, or missing. */
  private async close(cases: readonly OrphanCase[], list: CompleteList): Promise<void> {
    const { store } = this.parts;
    const known = await streamsOf(
      store,
      cases.map(({ facts, ...id }) => ({ ...id, clusterId: facts.clusterId, podUid: facts.podUid })),
    );
    const rest: OrphanCase[] = [];
    for (const each of cases) {
      const streamId = known.get(each.containerGroupId);
      if (streamId === undefined) rest.push(each);
      else await this.closeOne(each, 'claimed', 'a stream knows it', streamId);
    }
    const open = new Map(rest.map(({ containerGroupId }) => [containerGroupId, false]));
    const suspects = new Set(this.absences.compare(list, open, this.parts.clock.monotonic()));
    const read = await this.read(rest.map(({ containerGroupId }) => containerGroupId));
    if (!read) return;
    for (const each of rest) {
      const group = read.seen.get(each.containerGroupId);
      if (!group) {
        const evidence = 'missing from two complete lists at least a minute apart and from a direct read';
        const isProven = suspects.has(each.containerGroupId) && read.vouched.get(each.containerGroupId) === 'witness';
        if (isProven) await this.closeOne(each, 'vanished', evidence);
      } else if (isFinalStatus(group.snapshot.status)) {
        await this.closeOne(each, 'ended', `it is ${group.snapshot.status}`);
      } else if (group.identity?.fleet !== this.parts.fleet) {
        await this.closeOne(each, 'not-ours', 'it does not carry our tag any more');
      }
    }
  }

  private async closeOne(
    id: OrphanCase,
    reason: 'claimed' | 'ended' | 'vanished' | 'not-ours',
    evidence: string,
    streamId?: string,
  ): Promise<void> {
    const stream = streamId === undefined ? {} : { streamId };
    await this.parts.one(id.containerGroupId, async () => {
      await this.parts.orphanStreams.execute(
        orphanStreamId(id),
        { type: 'Close', reason, evidence, ...stream },
        { actor: ACTOR },
      );
    });
  }

  /** Direct reads; undefined when one of their calls was not answered. */
  private async read(ids: readonly string[]): Promise<WitnessedRead | undefined> {
    const { reads, scope, client } = this.parts;
    const read = await reads.read(scope, client, ids);
    return read.unanswered.length > 0 ? undefined : read;
  }

  private isOpenAndOurs({ snapshot, identity }: FoundGroup): boolean {
    return identity?.fleet === this.parts.fleet && willStay(snapshot.status);
  }

  private factsOf({ snapshot, identity = {} }: FoundGroup): OrphanFacts {
    const { containerGroupId, status, createdAt, spec, cpu, memoryGiB } = snapshot;
    const { clusterId, podUid, attempt, namespace, name } = identity;
    const created = createdAt === undefined ? NaN : Date.parse(createdAt);
    return {
      ...this.parts.scope,
      containerGroupId,
      status,
      ...(clusterId !== undefined && { clusterId }),
      ...(podUid !== undefined && { podUid }),
      ...(attempt !== undefined && { attempt }),
      ...(namespace !== undefined && { namespace }),
      ...(name !== undefined && { name }),
      ...(!Number.isNaN(created) && { createdAt: new Date(created).toISOString() }),
      ...(spec !== undefined && { spec }),
      ...(cpu !== undefined && { cpu }),
      ...(memoryGiB !== undefined && { memoryGiB }),
    };
  }
}
