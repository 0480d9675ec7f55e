import { streamIdOf, type OrphanId } from '#libs/domain';
import type { EventStore } from '#libs/event-store';
import { aliasOf } from '../streams/alias.ts';
import { oneByOne } from '../streams/one-by-one.ts';

/** A group, and the pod that its tags name. */
interface TaggedGroup extends OrphanId {
  readonly clusterId?: string | undefined;
  readonly podUid?: string | undefined;
}

/** Streams that know a group by its id, or the pod of its tags: id of the group → stream. A group in here is no orphan. */
export async function streamsOf(
  store: EventStore,
  groups: readonly TaggedGroup[],
): Promise<ReadonlyMap<string, string>> {
  const aliases = new Map(
    groups.map((group) => [group.containerGroupId, aliasOf(group.accountId, group.region, group.containerGroupId)]),
  );
  const pods = new Map(
    groups.flatMap(({ containerGroupId, clusterId, podUid }) =>
      clusterId && podUid ? [[containerGroupId, streamIdOf(clusterId, podUid)] as const] : [],
    ),
  );
  const [byAlias, { answers, failed }] = await Promise.all([
    store.findByAlias([...aliases.values()]),
    oneByOne([...new Set(pods.values())], (ids) => store.loadMany(ids)),
  ]);
  // A stream that cannot be read is there all the same.
  const streams = new Set([...answers.flatMap((loaded) => [...loaded.keys()]), ...failed.keys()]);
  const found = new Map<string, string>();
  for (const { containerGroupId } of groups) {
    const pod = pods.get(containerGroupId);
    const stream = byAlias.get(aliases.get(containerGroupId) ?? '') ?? (pod && streams.has(pod) ? pod : undefined);
    if (stream !== undefined) found.set(containerGroupId, stream);
  }
  return found;
}
