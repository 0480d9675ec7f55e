import { shouldBeShown } from '#libs/domain';
import type { EciReads } from '#libs/eci';
import type { Clock } from '#libs/runtime';
import type { StreamCommands } from '../streams/stream-commands.ts';

/** Streams of one load. */
const PAGE = 200;
/** Questions within this time share one look at the cloud. Shorter than the minute between two look-ups, which must not rest on the same look. */
const SHARED_FOR_MS = 5_000;

export interface Place {
  readonly accountId: string;
  readonly region: string;
}

/** Groups of a place that belong to streams which are not history: id → stream. */
export interface KnownGroups {
  knownGroups(place: Place): Promise<ReadonlyMap<string, string>>;
}

export interface CallerSightParts {
  readonly fleet: string;
  readonly scopes: KnownGroups;
  readonly streams: Pick<StreamCommands, 'loadEach'>;
  readonly clock: Clock;
}

/**
 * Whether an empty answer of a caller can be believed: it sees some group of the fleet, or there is none that it should see. One who lost the
 * permission is answered with empty lists, which prove nothing.
 */
export class CallerSight {
  private readonly fleet: string;
  private readonly known: KnownGroups;
  private readonly streams: Pick<StreamCommands, 'loadEach'>;
  private readonly looks: Shared;
  private readonly expectations: Shared;

  constructor(parts: CallerSightParts) {
    this.fleet = parts.fleet;
    this.known = parts.scopes;
    this.streams = parts.streams;
    this.looks = new Shared(parts.clock);
    this.expectations = new Shared(parts.clock);
  }

  /**
   * False also when the cloud does not answer. `askedAt`: when the answer in question was asked for, by the process's own time; a look from before
   * says nothing of it.
   */
  maySee(place: Place, client: Pick<EciReads, 'list'>, askedAt: number): Promise<boolean> {
    return this.looks.get(place, () => this.look(place, client), askedAt);
  }

  /** Some stream has a group there that should be shown, or cannot be read. */
  shouldSeeSome(place: Place): Promise<boolean> {
    return this.expectations.get(place, () => this.expectsSome(place));
  }

  private async look(place: Place, client: Pick<EciReads, 'list'>): Promise<boolean> {
    const answer = await client.list({ fleet: this.fleet });
    if (answer.kind !== 'done') return false;
    const { groups, next } = answer.value;
    if (next !== undefined || groups.some(({ identity }) => identity?.fleet === this.fleet)) return true;
    return !(await this.shouldSeeSome(place));
  }

  private async expectsSome(place: Place): Promise<boolean> {
    const known = [...(await this.known.knownGroups(place))];
    for (let start = 0; start < known.length; start += PAGE) {
      const page = known.slice(start, start + PAGE);
      const { states, failed } = await this.streams.loadEach(page.map(([, streamId]) => streamId));
      if (failed.size > 0) return true;
      for (const [id, streamId] of page) {
        const state = states.get(streamId);
        if (state && shouldBeShown(state, id)) return true;
      }
    }
    return false;
  }
}

/** The last answer for each place, for those who ask at about the same time. */
class Shared {
  private readonly clock: Clock;
  private readonly last = new Map<string, { readonly at: number; readonly answer: Promise<boolean> }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** A look that is begun now, or was begun lately and not before `notBefore`, monotonic milliseconds. */
  get({ accountId, region }: Place, begin: () => Promise<boolean>, notBefore = -Infinity): Promise<boolean> {
    const key = `${accountId}/${region}`;
    const now = this.clock.monotonic();
    const last = this.last.get(key);
    if (last && last.at >= notBefore && now - last.at < SHARED_FOR_MS) return last.answer;
    const answer = begin();
    this.last.set(key, { at: now, answer });
    answer.catch(() => this.last.delete(key));
    return answer;
  }
}
