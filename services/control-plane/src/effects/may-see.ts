import { openGroupIds } from '#libs/domain';
import type { EciClient } from '#libs/eci';
import type { Clock } from '#libs/runtime';
import type { StreamCommands } from '../streams/stream-commands.ts';

/** Streams of one load. */
const PAGE = 200;
/** Look-ups that come together share one look; shorter than the minute between two that prove absence, so both never rest on the same one. */
const SHARED_FOR_MS = 5_000;

interface Place {
  readonly accountId: string;
  readonly region: string;
}

/** Groups of a place that belong to streams which are not history: id → stream. */
export interface KnownGroups {
  knownGroups(place: Place): Promise<ReadonlyMap<string, string>>;
}

/**
 * Whether an empty answer of a caller can be believed: it sees some group of the fleet, or there is none that it should see. One who lost the
 * permission is answered with empty lists, which prove nothing.
 */
export class CallerSight {
  private readonly fleet: string;
  private readonly known: KnownGroups;
  private readonly streams: Pick<StreamCommands, 'loadMany'>;
  private readonly clock: Clock;
  private readonly looks = new Map<string, { readonly at: number; readonly answer: Promise<boolean> }>();

  constructor(parts: {
    readonly fleet: string;
    readonly scopes: KnownGroups;
    readonly streams: Pick<StreamCommands, 'loadMany'>;
    readonly clock: Clock;
  }) {
    this.fleet = parts.fleet;
    this.known = parts.scopes;
    this.streams = parts.streams;
    this.clock = parts.clock;
  }

  /** False also when the cloud does not answer. */
  maySee(place: Place, client: Pick<EciClient, 'list'>): Promise<boolean> {
    const key = `${place.accountId}/${place.region}`;
    const now = this.clock.now();
    const last = this.looks.get(key);
    if (last && Math.abs(now - last.at) < SHARED_FOR_MS) return last.answer;
    const answer = this.look(place, client);
    this.looks.set(key, { at: now, answer });
    answer.catch(() => this.looks.delete(key));
    return answer;
  }

  private async look(place: Place, client: Pick<EciClient, 'list'>): Promise<boolean> {
    const answer = await client.list({ fleet: this.fleet });
    if (answer.kind !== 'done') return false;
    const { groups, next } = answer.value;
    if (next !== undefined || groups.some(({ identity }) => identity?.fleet === this.fleet)) return true;
    return !(await this.shouldSeeSome(place));
  }

  /** Some stream has an open group there. One that was just made is soon seen, and gives its answer then. */
  private async shouldSeeSome(place: Place): Promise<boolean> {
    const known = [...(await this.known.knownGroups(place))];
    for (let start = 0; start < known.length; start += PAGE) {
      const page = known.slice(start, start + PAGE);
      const states = await this.streams.loadMany(page.map(([, streamId]) => streamId));
      for (const [id, streamId] of page) {
        const state = states.get(streamId);
        if (state && openGroupIds(state).includes(id)) return true;
      }
    }
    return false;
  }
}
