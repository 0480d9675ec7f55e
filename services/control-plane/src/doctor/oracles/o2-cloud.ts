import { isEvidence, isFinalStatus, isYoung, streamIdOf, willStay } from '#libs/domain';
import type { CloudGroup, CloudList, OpenStream, OurGroup } from '../facts.ts';
import type { Finding } from '../finding.ts';

export interface CloudFacts {
  readonly lists: readonly CloudList[];
  readonly ours: readonly OurGroup[];
  /** By stream. */
  readonly open: ReadonlyMap<string, OpenStream>;
  /** Streams that exist among those that tags of unknown groups name. */
  readonly known: ReadonlySet<string>;
}

/** Why a list cannot be used as evidence; undefined: it can. */
export function whyNoEvidence(list: CloudList, ours: readonly OurGroup[]): string | undefined {
  if (list.incomplete !== undefined) return list.incomplete;
  const expected = ours.filter((group) => isAt(group, list) && shouldBeListed(group, list)).length;
  if (!isEvidence(list.groups.length, expected))
    return `the list is empty although ${expected} ${expected === 1 ? 'group' : 'groups'} should be in it: the account may have lost its permission`;
  return undefined;
}

/** Open in the cloud, as far as it matters here: one that terminates is on its way out on both sides. */
export const isOpen = ({ status }: CloudGroup): boolean => willStay(status);

export function streamOfTags(group: CloudGroup): string | undefined {
  const { clusterId, podUid } = group.identity ?? {};
  return clusterId && podUid ? streamIdOf(clusterId, podUid) : undefined;
}

/** O2: what the cloud lists as open is what the streams take for open; lists that are no evidence are left out. */
export function cloudAndStreamsAgree({ lists, ours, open, known }: CloudFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const byId = new Map(ours.map((group) => [group.containerGroupId, group]));
  for (const list of lists) {
    if (whyNoEvidence(list, ours) !== undefined) continue;
    const place = `${list.accountId}/${list.region}`;
    const listed = new Map(list.groups.map((group) => [group.containerGroupId, group]));
    for (const group of list.groups) {
      if (!isOpen(group) || byId.has(group.containerGroupId)) continue;
      const stream = streamOfTags(group);
      const doubt = stream === undefined ? undefined : open.get(stream)?.inDoubt;
      if (doubt !== undefined && doubt === group.identity?.attempt) continue;
      const isOurs = stream !== undefined && known.has(stream);
      findings.push({
        oracle: 'O2',
        kind: isOurs ? 'unknown-to-its-stream' : 'orphan',
        what: isOurs
          ? 'is open in the cloud, but its stream takes it for over or never heard of it'
          : 'is open in the cloud with our tag, but no stream has it: an orphan that costs',
        where: { ...(stream !== undefined && { stream }), containerGroup: group.containerGroupId, place },
        ...(group.createdAt !== undefined && { since: group.createdAt }),
        next: isOurs
          ? 'wait for the next inventory (5 minutes): a late twin is deleted a minute after it is found; look again'
          : 'npm run fleet -- orphans shows it; orphans remove ends it',
      });
    }
    for (const group of ours) {
      if (!isAt(group, list)) continue;
      const seen = listed.get(group.containerGroupId);
      if (seen && !isFinalStatus(seen.status)) continue;
      if (!shouldBeListed(group, list)) continue;
      findings.push({
        oracle: 'O2',
        kind: seen ? 'over-in-the-cloud' : 'not-in-the-cloud',
        what: seen
          ? `has ended in the cloud (${seen.status}), but its stream takes it for open`
          : 'is open for its stream, but not in a complete list of the cloud',
        where: { stream: group.streamId, containerGroup: group.containerGroupId, place },
        since: seen?.finishedAt ?? group.since,
        next: 'see that a replica with role observe runs and reads this place (/health/ready); absence is proven after two lists a minute apart, look again then',
      });
    }
  }
  return findings;
}

/** Nobody deleted the group, and it is old enough to be listed. The create of a younger one may not even be recorded yet. */
function shouldBeListed(group: OurGroup, list: CloudList): boolean {
  return group.deleteAcceptedAt === undefined && !isYoung(list.beganAt - Date.parse(group.since));
}

function isAt(group: OurGroup, list: CloudList): boolean {
  return group.accountId === list.accountId && group.region === list.region;
}
