import { attemptInDoubt, evolve, initialState } from '#libs/domain';
import { domainEvent } from '../../streams/stored-events.ts';
import type { StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';
import { isOpen, streamOfTags, whyNoEvidence, type CloudFacts } from './o2-cloud.ts';

/** O3, one stream: an attempt was never chosen while another was open or in doubt. */
export function attemptsFollowEachOther(facts: StreamFacts): readonly Finding[] {
  let state = initialState;
  for (const event of facts.events) {
    const read = domainEvent(event);
    if (read.type === 'PlacementChosen' && state.attempt && (attemptInDoubt(state) || state.group?.open)) {
      return [
        {
          oracle: 'O3',
          kind: 'chosen-too-early',
          what: `version ${event.version} chose an attempt while attempt ${state.attempt.number} was ${state.attempt.outcome}`,
          where: { stream: facts.streamId },
          since: event.recordedAt,
          next: 'look for its groups in the cloud by the tag of the pod UID, and report it: a decider never does this',
        },
      ];
    }
    state = evolve(state, read);
  }
  return [];
}

/** O3, cloud: no pod has two groups that are open at once. */
export function oneOpenGroupEach({ lists, ours }: CloudFacts): readonly Finding[] {
  const streamOf = new Map(ours.map((group) => [group.containerGroupId, group.streamId]));
  const groups = new Map<string, string[]>();
  for (const list of lists) {
    if (whyNoEvidence(list, ours) !== undefined) continue;
    for (const group of list.groups) {
      if (!isOpen(group)) continue;
      const stream = streamOf.get(group.containerGroupId) ?? streamOfTags(group);
      if (stream !== undefined) groups.set(stream, [...(groups.get(stream) ?? []), group.containerGroupId]);
    }
  }
  return [...groups]
    .filter(([, ids]) => ids.length > 1)
    .map(([stream, ids]) => ({
      oracle: 'O3',
      kind: 'two-open',
      what: `has ${ids.length} open groups: ${ids.toSorted().join(', ')}`,
      where: { stream },
      next: 'a late twin is deleted a minute after it is found; if both are still open after two inventories (10 minutes), delete the one that is not the current group of the stream, and report it',
    }));
}
