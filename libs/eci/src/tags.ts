import { cutText } from '#libs/contracts';
import type { GroupIdentity, TagFilter } from './reads.ts';

/** Keys of the tags that make a group ours. */
export const IDENTITY_TAGS = {
  fleet: 'eci-fleet',
  clusterId: 'eci-fleet-cluster',
  podUid: 'eci-fleet-pod-uid',
  attempt: 'eci-fleet-attempt',
  namespace: 'eci-fleet-namespace',
  name: 'eci-fleet-pod',
} as const;

interface Tag {
  readonly key: string;
  readonly value: string;
}

/** Tags of a resource, and characters of a tag's value (ECI docs, CreateContainerGroup). */
const MAX_TAGS = 20;
const MAX_VALUE = 128;

const cut = (value: string): string => cutText(value, MAX_VALUE, '');
const reserved = new Set<string>(Object.values(IDENTITY_TAGS));

/** Identity first, so that it is never the one that is left out; then users' tags by key until there are 20. A user's tag never replaces ours. */
export function tagsOf(identity: GroupIdentity, userTags: Readonly<Record<string, string>>): Tag[] {
  const ours: Tag[] = [
    { key: IDENTITY_TAGS.fleet, value: identity.fleet },
    { key: IDENTITY_TAGS.clusterId, value: identity.clusterId },
    { key: IDENTITY_TAGS.podUid, value: identity.podUid },
    { key: IDENTITY_TAGS.attempt, value: String(identity.attempt) },
    { key: IDENTITY_TAGS.namespace, value: identity.namespace },
    { key: IDENTITY_TAGS.name, value: identity.name },
  ];
  const theirs = Object.entries(userTags)
    .filter(([key]) => !reserved.has(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, value }));
  return [...ours, ...theirs].slice(0, MAX_TAGS).map(({ key, value }) => ({ key, value: cut(value) }));
}

export function filterTags({ fleet, clusterId, podUid, attempt }: TagFilter): Tag[] {
  return [
    { key: IDENTITY_TAGS.fleet, value: cut(fleet) },
    ...(clusterId === undefined ? [] : [{ key: IDENTITY_TAGS.clusterId, value: cut(clusterId) }]),
    ...(podUid === undefined ? [] : [{ key: IDENTITY_TAGS.podUid, value: cut(podUid) }]),
    ...(attempt === undefined ? [] : [{ key: IDENTITY_TAGS.attempt, value: String(attempt) }]),
  ];
}

/** Undefined when the tags do not name a fleet; parts that are missing or make no sense are left out. */
export function identityOf(
  tags: readonly { readonly key?: string; readonly value?: string }[] | undefined,
): Partial<GroupIdentity> | undefined {
  const values = new Map((tags ?? []).map(({ key, value }) => [key, cut(value ?? '')]));
  const fleet = values.get(IDENTITY_TAGS.fleet);
  if (!fleet) return undefined;
  const text = (field: keyof typeof IDENTITY_TAGS): Record<string, string> => {
    const value = values.get(IDENTITY_TAGS[field]);
    return value ? { [field]: value } : {};
  };
  const attempt = values.get(IDENTITY_TAGS.attempt) ?? '';
  return {
    fleet,
    ...text('clusterId'),
    ...text('podUid'),
    ...text('namespace'),
    ...text('name'),
    ...(/^[1-9]\d{0,8}$/.test(attempt) ? { attempt: Number(attempt) } : {}),
  };
}
