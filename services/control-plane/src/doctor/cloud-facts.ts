import type { CloudList } from './facts.ts';
import { withDetails } from './gather-cloud.ts';
import { existingStreams } from './gather-fleet.ts';
import { isOpen, streamOfTags, type CloudFacts } from './oracles/o2-cloud.ts';
import type { Patient } from './patient.ts';
import type { Survey } from './survey.ts';

/** Groups whose times are compared with the cloud's, for each place. */
const TIMES = 200;

/** Tags of the groups that we do not know, and times of some that we do. Of what belongs to a stream that cannot be read nothing is concluded. */
export async function cloudFacts(
  patient: Patient,
  listed: readonly CloudList[],
  survey: Survey,
  { unreadable, times }: { readonly unreadable: ReadonlySet<string>; readonly times: boolean },
): Promise<CloudFacts> {
  const known = new Set(survey.ours.map(({ containerGroupId }) => containerGroupId));
  const lists: CloudList[] = [];
  for (const list of listed) {
    let compared = 0;
    lists.push(
      list.incomplete === undefined
        ? await withDetails(patient, list, (group) => {
            if (isOpen(group) && !known.has(group.containerGroupId)) return true;
            return times && survey.lifetimes.has(group.containerGroupId) && compared++ < TIMES;
          })
        : list,
    );
  }
  const judged = lists.map((list) => ({
    ...list,
    groups: list.groups.filter((group) => !unreadable.has(streamOfTags(group) ?? '')),
  }));
  const named = judged.flatMap(({ groups }) => groups.flatMap((group) => streamOfTags(group) ?? []));
  return {
    lists: judged,
    ours: survey.ours,
    open: survey.open,
    known: await existingStreams(patient.pool, [...new Set(named)]),
  };
}
