import { openGroupIds } from '#libs/domain';
import type { EciClient } from '#libs/eci';
import type { StreamCommands } from '../streams/stream-commands.ts';

/** Streams of one load. */
const PAGE = 200;
/** A group this young may not be visible yet (ECI docs say nothing; assumed up to a minute). */
const VISIBLE_AFTER_MS = 60_000;

/** Groups of a place that belong to streams which are not history: id → stream. */
export interface KnownGroups {
  knownGroups(place: { readonly accountId: string; readonly region: string }): Promise<ReadonlyMap<string, string>>;
}

/**
 * Whether an empty answer of this caller can be believed: it sees some group of the fleet, or there is none that it should see. One who lost the
 * permission is answered with empty lists, which prove nothing. Undefined: the cloud did not answer.
 */
export async function maySee(parts: {
  readonly fleet: string;
  readonly place: { readonly accountId: string; readonly region: string };
  readonly client: Pick<EciClient, 'list'>;
  readonly known: KnownGroups;
  readonly streams: Pick<StreamCommands, 'loadMany'>;
  readonly now: number;
}): Promise<boolean | undefined> {
  const { fleet, place, client, known, streams, now } = parts;
  const answer = await client.list({ fleet });
  if (answer.kind !== 'done') return undefined;
  if (answer.value.groups.some(({ identity }) => identity?.fleet === fleet) || answer.value.next !== undefined)
    return true;
  const groups = [...(await known.knownGroups(place))];
  for (let start = 0; start < groups.length; start += PAGE) {
    const page = groups.slice(start, start + PAGE);
    const states = await streams.loadMany(page.map(([, streamId]) => streamId));
    for (const [id, streamId] of page) {
      const state = states.get(streamId);
      if (!state || !openGroupIds(state).includes(id)) continue;
      const since = state.group?.containerGroupId === id ? state.group.since : state.twins[id]?.foundAt;
      if (since !== undefined && now - Date.parse(since) >= VISIBLE_AFTER_MS) return false;
    }
  }
  return true;
}
