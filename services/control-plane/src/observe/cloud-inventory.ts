import {
  Absences,
  isEvidence,
  isFinalStatus,
  isYoung,
  streamIdOf,
  wasShown,
  willStay,
  type CompleteList,
  type GroupSnapshot,
} from '#libs/domain';
import type { FoundGroup, GroupIdentity } from '#libs/eci';
import { INVENTORY_EVERY_MS, type ApplyParts, type ApplySights } from './apply-sights.ts';
import { WitnessedReads } from '../evidence/witnessed-reads.ts';
import { OrphanDesk } from '../orphans/orphan-desk.ts';
import type { OrphanStreams } from '../orphans/orphan-streams.ts';
import type { OrphanCase, OrphanCases } from '../orphans/ports.ts';
import type { Orphans, Scope, Scopes } from './ports.ts';

/** Streams of one load. */
const PAGE = 500;

export interface CloudInventoryParts extends ApplyParts {
  readonly fleet: string;
  readonly scopes: Scopes;
  readonly orphans: Orphans;
  readonly cases: OrphanCases;
  readonly orphanStreams: OrphanStreams;
}

/** Groups that should be in a list and are not, with their streams. */
interface Missing {
  /** Whether each is young, by the clocks of two replicas: a hint, and no evidence. */
  readonly open: ReadonlyMap<string, boolean>;
  /** How many of them were shown by a read before, or are not young: no list should lack them. */
  readonly expected: number;
  readonly streamOf: ReadonlyMap<string, string>;
}

/** How the list went. Only a complete one is evidence. */
type Listed = 'complete' | 'incomplete' | 'throttled';

/**
 * The full inventory of one place by the fleet's tag. Pages are applied as they arrive; what is missing, and what belongs to nobody, is concluded
 * from complete lists only.
 */
export class CloudInventory {
  private readonly parts: CloudInventoryParts;
  private readonly apply: ApplySights;
  private readonly absences = new Absences();
  private readonly reads: WitnessedReads;
  private readonly desk: OrphanDesk;

  constructor(parts: CloudInventoryParts, apply: ApplySights) {
    this.parts = parts;
    this.apply = apply;
    this.reads = new WitnessedReads(parts);
    this.desk = new OrphanDesk({ ...parts, reads: this.reads, one: (id, work) => this.apply.one(id, work) });
  }

  /** Some group was missing: the next inventory should not wait long. */
  get suspicious(): boolean {
    return this.absences.waiting || this.desk.suspicious;
  }

  async take(stopping: AbortSignal): Promise<Listed> {
    const { client, clock, fleet, metrics, scope } = this.parts;
    const beganAt = clock.monotonic();
    const seen = new Set<string>();
    const strangers: FoundGroup[] = [];
    const answer = await client.listEach(
      { fleet },
      async (groups) => {
        // A filter that the cloud did not apply must not make strangers ours.
        const ours = groups.filter(({ identity }) => identity?.fleet === fleet);
        for (const { snapshot } of ours) seen.add(snapshot.containerGroupId);
        strangers.push(...(await this.page(ours)));
      },
      stopping,
    );
    if (answer.kind !== 'done')
      return answer.kind === 'refused' && answer.class === 'THROTTLED' ? 'throttled' : 'incomplete';
    const list = { beganAt, seen };
    const missing = await this.missing(list);
    const cases = await this.desk.openCases();
    if (!this.isEvidence(list, missing, cases)) return 'complete';
    await this.recordGone(list, missing);
    const orphans = await this.desk.judge(strangers, list, cases);
    if (orphans !== undefined) metrics.orphans.set({ account: scope.accountId, region: scope.region }, orphans);
    metrics.inventorySeconds.observe((clock.monotonic() - beganAt) / 1000);
    return 'complete';
  }

  /** Groups whose stream is not known by their id: adopted, late twins, or nobody's. Returns the last, as far as they are open. */
  async strangers(groups: readonly FoundGroup[]): Promise<readonly FoundGroup[]> {
    const { scope, streams, sights, clock, passedOver } = this.parts;
    const streamOf = ({ identity }: FoundGroup): string | undefined =>
      identity?.clusterId && identity.podUid ? streamIdOf(identity.clusterId, identity.podUid) : undefined;
    const { states, failed } = await streams.loadEach(groups.flatMap((group) => streamOf(group) ?? []));
    const nobodys: FoundGroup[] = [];
    for (const group of groups) {
      const { snapshot, identity = {} } = group;
      const { containerGroupId } = snapshot;
      const streamId = streamOf(group);
      if (streamId !== undefined && failed.has(streamId)) {
        // It is some stream's, which cannot be read: neither nobody's nor known.
        passedOver.put(containerGroupId, failed.get(streamId), INVENTORY_EVERY_MS);
        continue;
      }
      const state = streamId === undefined ? undefined : states.get(streamId);
      if (!streamId || !state || state.version === 0) {
        if (!isFinalStatus(snapshot.status)) nobodys.push(group);
        continue;
      }
      sights.meet(containerGroupId, streamId, clock.now());
      const twin = twinOf(scope, snapshot, identity);
      // Of a group that is found now no sight is known.
      const observe = { type: 'Observe', snapshot, knew: 0 } as const;
      await this.apply.one(containerGroupId, () =>
        this.apply.execute(containerGroupId, streamId, [twin, observe], state),
      );
    }
    return nobodys;
  }

  private async page(groups: readonly FoundGroup[]): Promise<readonly FoundGroup[]> {
    const { sights } = this.parts;
    const unknown = new Set(await this.apply.resolve(groups.map(({ snapshot }) => snapshot.containerGroupId)));
    // The status action says more of a group that has not changed its status; details would only take turns with it.
    const moved = groups.filter(({ snapshot }) => {
      const sight = sights.get(snapshot.containerGroupId);
      return sight?.open && (sight.status !== snapshot.status || !sight.landed);
    });
    await this.apply.byDetails(moved.map(({ snapshot }) => snapshot));
    await this.backFromTheDead(groups);
    return this.strangers(groups.filter(({ snapshot }) => unknown.has(snapshot.containerGroupId)));
  }

  /** Groups that their stream takes for gone or ended, and that a second look still finds open, must not live. */
  private async backFromTheDead(groups: readonly FoundGroup[]): Promise<void> {
    const { sights, client, scope, clock } = this.parts;
    const suspects = groups.filter(({ snapshot }) => {
      const sight = sights.get(snapshot.containerGroupId);
      return sight && !sight.open && willStay(snapshot.status);
    });
    if (suspects.length === 0) return;
    const states = await this.apply.states(
      suspects.map(({ snapshot }) => sights.get(snapshot.containerGroupId)?.streamId as string),
    );
    for (const { snapshot, identity = {} } of suspects) {
      const id = snapshot.containerGroupId;
      const streamId = sights.get(id)?.streamId as string;
      const state = states.get(streamId);
      if (!state) continue;
      sights.learn(id, state, clock.now());
      const takenForGone = state.group?.containerGroupId !== id || state.group.gone;
      if (sights.get(id)?.open || !takenForGone) continue;
      const answer = await client.describe([id]);
      const now =
        answer.kind === 'done' ? answer.value.find((group) => group.snapshot.containerGroupId === id) : undefined;
      if (!now || !willStay(now.snapshot.status)) continue;
      const twin = twinOf(scope, now.snapshot, identity);
      await this.apply.one(id, () => this.apply.execute(id, streamId, [twin]));
    }
  }

  private async missing(list: CompleteList): Promise<Missing> {
    const { scopes, scope, clock } = this.parts;
    const known = [...(await scopes.knownGroups(scope))].filter(([id]) => !list.seen.has(id));
    const open = new Map<string, boolean>();
    let expected = 0;
    for (let start = 0; start < known.length; start += PAGE) {
      const page = known.slice(start, start + PAGE);
      const states = await this.apply.states(page.map(([, streamId]) => streamId));
      for (const [id, streamId] of page) {
        const state = states.get(streamId);
        const group = state?.group;
        // A group that we delete has its own rule of evidence, and its own worker.
        if (!group || group.containerGroupId !== id || !group.open || group.deleteAcceptedAt) continue;
        const mayBeUnlisted = isYoung(clock.now() - Date.parse(group.since));
        open.set(id, mayBeUnlisted);
        if (!mayBeUnlisted || wasShown(state, id)) expected += 1;
      }
    }
    return { open, expected, streamOf: new Map(known) };
  }

  /**
   * An empty list where any group should be proves nothing, about groups and orphans alike: nothing is concluded from it. It is said as well, unless
   * all of them may be too young to be listed.
   */
  private isEvidence(list: CompleteList, { open, expected }: Missing, cases: readonly OrphanCase[]): boolean {
    const { scope, metrics, logger } = this.parts;
    const known = open.size + cases.length;
    const frozen = !isEvidence(list.seen.size, expected + cases.length);
    metrics.frozen.set({ account: scope.accountId, region: scope.region }, frozen ? 1 : 0);
    if (frozen)
      logger.error('the cloud lists no group although there should be some: nothing is concluded from it', {
        ...scope,
        known,
      });
    return isEvidence(list.seen.size, known);
  }

  private async recordGone(list: CompleteList, { open, streamOf }: Missing): Promise<void> {
    const { client, clock, metrics, logger, scope } = this.parts;
    const suspects = this.absences.compare(list, open, clock.monotonic());
    const { seen, vouched } = await this.reads.read(scope, client, suspects);
    for (const id of suspects) {
      const streamId = streamOf.get(id);
      // A read that does not even return a group that is listed proves nothing.
      if (seen.has(id) || vouched.get(id) !== 'witness' || streamId === undefined) continue;
      logger.warn('a container group vanished without our delete', { streamId, containerGroupId: id });
      const evidence = 'missing from two complete lists at least a minute apart and from a direct read';
      await this.apply.one(id, async () => {
        await this.apply.execute(id, streamId, [{ type: 'RecordGone', containerGroupId: id, evidence }]);
        metrics.gone.inc();
      });
    }
  }
}

const twinOf = (
  { accountId, region }: Scope,
  { containerGroupId, status, createdAt, finishedAt }: GroupSnapshot,
  identity: Partial<GroupIdentity>,
) =>
  ({
    type: 'RecordTwin',
    containerGroupId,
    status,
    accountId,
    region,
    ...(createdAt !== undefined && { createdAt }),
    ...(finishedAt !== undefined && { finishedAt }),
    ...(identity.attempt !== undefined && { attempt: identity.attempt }),
  }) as const;
