import { vouchedBy, willStay, type FleetList, type Vouched } from '#libs/domain';
import {
  IDS_OF_A_CALL,
  inParts,
  type DescribeAnswer,
  type EciReads,
  type FoundGroup,
  type Unanswered,
} from '#libs/eci';
import { CallerSight, type CallerSightParts, type Place } from './may-see.ts';

/** Each call has its own, for one that is answered says nothing of the next. */
const WITNESSES_OF_A_CALL = 2;
/** Groups kept in mind of each place. */
const WITNESSES = 200;

export interface WitnessedRead {
  /** By id; those of witnesses too. */
  readonly seen: ReadonlyMap<string, FoundGroup>;
  /** Of every id whose call was answered: what it is worth that it is missing, if it is. */
  readonly vouched: ReadonlyMap<string, Vouched>;
  /** Calls that were not answered: that their groups are missing means nothing. */
  readonly unanswered: readonly UnansweredCall[];
}

interface UnansweredCall {
  readonly ids: ReadonlySet<string>;
  readonly answer: Unanswered;
}

type Part = DescribeAnswer<{ readonly seen: ReadonlyMap<string, FoundGroup>; readonly vouched: Vouched }>;

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

  /**
   * Any number of ids, as many a call as leave room for witnesses. A call that is not answered keeps the others from nothing. Rejects when it cannot
   * be known which groups should be there.
   */
  async read(place: Place, client: EciReads, ids: readonly string[]): Promise<WitnessedRead> {
    const seen = new Map<string, FoundGroup>();
    const vouched = new Map<string, Vouched>();
    const unanswered: UnansweredCall[] = [];
    for (const part of inParts(ids, IDS_OF_A_CALL - WITNESSES_OF_A_CALL)) {
      const asked = new Set(part);
      const answer = await this.readPart(place, client, asked);
      if (answer.kind !== 'done') {
        unanswered.push({ ids: asked, answer });
        continue;
      }
      for (const [id, group] of answer.value.seen) seen.set(id, group);
      for (const id of asked) vouched.set(id, answer.value.vouched);
    }
    return { seen, vouched, unanswered };
  }

  private async readPart(place: Place, client: EciReads, asked: ReadonlySet<string>): Promise<Part> {
    const answer = await this.beside(place, client, asked, this.known(place));
    if (answer.kind !== 'done' || answer.value.size > 0) return withVouched(answer);
    // Most likely another group runs, and the same read with it settles the matter at once.
    const list = await client.list({ fleet: this.fleet });
    if (list.kind !== 'done') return withVouched(answer);
    const ours = list.value.groups.filter(({ identity }) => identity?.fleet === this.fleet);
    const isComplete = list.value.next === undefined;
    if (ours.length === 0 && isComplete) {
      const shouldShowSome = await this.sight.shouldSeeSome(place);
      return withVouched(answer, { shown: 0, isComplete, shouldShowSome });
    }
    this.remember(place, ours);
    // Of those that are on their way out one does as well, for it was listed a moment ago.
    const listed = ours.toSorted((a, b) => Number(stays(a)) - Number(stays(b)));
    return withVouched(await this.beside(place, client, asked, listed.map(idOf)));
  }

  private async beside(
    place: Place,
    client: EciReads,
    asked: ReadonlySet<string>,
    known: readonly string[],
  ): Promise<DescribeAnswer<ReadonlyMap<string, FoundGroup>>> {
    const witnesses = known.filter((id) => !asked.has(id)).slice(-WITNESSES_OF_A_CALL);
    const answer = await client.describeOnce([...asked, ...witnesses]);
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
      if (stays(group)) known.add(idOf(group));
    }
    for (const id of known) {
      if (known.size <= WITNESSES) break;
      known.delete(id);
    }
  }
}

const idOf = ({ snapshot }: FoundGroup): string => snapshot.containerGroupId;

const stays = ({ snapshot }: FoundGroup): boolean => willStay(snapshot.status);

const nameOf = ({ accountId, region }: Place): string => `${accountId}/${region}`;

function withVouched(answer: DescribeAnswer<ReadonlyMap<string, FoundGroup>>, list?: FleetList): Part {
  if (answer.kind !== 'done') return answer;
  return { ...answer, value: { seen: answer.value, vouched: vouchedBy(answer.value.size, list) } };
}
