import { vouchedBy, willStay, type Vouched } from '#libs/domain';
import type { DescribeAnswer, EciClient, FoundGroup } from '#libs/eci';
import { CallerSight, type CallerSightParts, type Place } from './may-see.ts';

/** Ids of one read; ECI takes 20, and two places stay free for witnesses. */
export const IDS_BESIDE_WITNESSES = 18;
const WITNESSES_OF_A_READ = 2;
/** Groups kept in mind of each place. */
const WITNESSES = 200;

export interface WitnessedRead {
  /** By id; those of witnesses too. */
  readonly seen: ReadonlyMap<string, FoundGroup>;
  /** What it is worth that others are not in it. */
  readonly vouched: Vouched;
}

/**
 * Reads by id that say what an absence from them is worth. They take groups along that were seen lately: a read that returns one of them was allowed
 * to see, and did look.
 */
export class WitnessedReads {
  private readonly fleet: string;
  private readonly sight: CallerSight;
  private readonly witnesses = new Map<string, Set<string>>();

  constructor(parts: CallerSightParts) {
    this.fleet = parts.fleet;
    this.sight = new CallerSight(parts);
  }

  /** At most {@link IDS_BESIDE_WITNESSES} ids. Rejects when it cannot be known which groups should be there. */
  async read(place: Place, client: EciClient, ids: readonly string[]): Promise<DescribeAnswer<WitnessedRead>> {
    const asked = new Set(ids);
    const answer = await this.beside(place, client, asked, this.known(place));
    if (answer.kind !== 'done' || answer.value.size > 0) return withVouched(answer, 'witness');
    // Most likely another group runs, and the same read with it settles the matter at once.
    const list = await client.list({ fleet: this.fleet });
    if (list.kind !== 'done') return withVouched(answer, 'nobody');
    const ours = list.value.groups.filter(({ identity }) => identity?.fleet === this.fleet);
    if (ours.length === 0 && list.value.next === undefined) {
      const isEmpty = !(await this.sight.shouldSeeSome(place));
      return withVouched(answer, isEmpty ? 'nothing to see' : 'nobody');
    }
    this.remember(place, ours);
    // Of those that are on their way out one does as well, for it was listed a moment ago.
    const listed = ours.toSorted((a, b) => Number(willStay(a)) - Number(willStay(b)));
    const again = await this.beside(place, client, asked, listed.map(idOf));
    return withVouched(again, again.kind === 'done' && again.value.size > 0 ? 'witness' : 'nobody');
  }

  private async beside(
    place: Place,
    client: EciClient,
    asked: ReadonlySet<string>,
    known: readonly string[],
  ): Promise<DescribeAnswer<ReadonlyMap<string, FoundGroup>>> {
    const witnesses = known.filter((id) => !asked.has(id)).slice(-WITNESSES_OF_A_READ);
    const answer = await client.describe([...asked, ...witnesses]);
    if (answer.kind !== 'done') return answer;
    const seen = new Map(answer.value.map((group) => [idOf(group), group]));
    const inMind = this.witnesses.get(nameOf(place));
    for (const id of witnesses) if (!seen.has(id)) inMind?.delete(id);
    this.remember(place, answer.value);
    return { ...answer, value: seen };
  }

  private known(place: Place): readonly string[] {
    return [...(this.witnesses.get(nameOf(place)) ?? [])];
  }

  private remember(place: Place, groups: readonly FoundGroup[]): void {
    const known = this.witnesses.get(nameOf(place)) ?? new Set();
    this.witnesses.set(nameOf(place), known);
    for (const group of groups) {
      known.delete(idOf(group));
      if (willStay(group)) known.add(idOf(group));
    }
    for (const id of known) {
      if (known.size <= WITNESSES) break;
      known.delete(id);
    }
  }
}

const idOf = ({ snapshot }: FoundGroup): string => snapshot.containerGroupId;

/** Groups that ended are none to keep in mind: the cloud forgets them. */
const willStay = ({ snapshot }: FoundGroup): boolean =>
  !isFinalStatus(snapshot.status) && snapshot.status !== 'Terminating';

const nameOf = ({ accountId, region }: Place): string => `${accountId}/${region}`;

function withVouched(
  answer: DescribeAnswer<ReadonlyMap<string, FoundGroup>>,
  vouched: Vouched,
): DescribeAnswer<WitnessedRead> {
  return answer.kind === 'done' ? { ...answer, value: { seen: answer.value, vouched } } : answer;
}
