import { type ContainerGroupState, hasGivenUp } from '#libs/domain';
import { endedAt, endedWell } from './ending.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/**
 * The pod's phase. It comes from the stream alone and never goes back: what ended stays ended, what ran is never Pending again, and trouble
 * before the start is Pending, because another attempt may follow. A rejected pod is Failed, except under restartPolicy Always: a ReplicaSet
 * would replace Failed pods without back-off. A stopped pod has an end as soon as it is proven that nothing of it is left.
 */
export function phaseOf(state: ContainerGroupState): Phase {
  const { end, group, intent } = state;
  switch (end?.kind) {
    case 'succeeded':
      return 'Succeeded';
    case 'failed':
    case 'expired':
      return 'Failed';
    case 'rejected':
      if (endedAt(state) !== undefined) return 'Failed';
      return group?.hasRun || intent?.lookUpFirst ? 'Running' : 'Pending';
    case undefined:
      // Stopped, and nothing of it is left: as from a kubelet, the pod has an end before its object goes.
      if (endedAt(state) !== undefined) return endedWell(state) ? 'Succeeded' : 'Failed';
      // A pod that ran before its first intent came here keeps its phase while its group is looked up.
      return group?.hasRun || intent?.lookUpFirst ? 'Running' : 'Pending';
  }
}

/** `status.reason` and `status.message`; nothing when a container itself tells the story. */
export function reasonOf(state: ContainerGroupState): { readonly reason?: string; readonly message?: string } {
  const { end, group, parked } = state;
  if (end?.kind === 'succeeded') return {};
  if (end?.kind === 'failed' && !end.bySystem && end.reason !== 'OutcomeUnknown') {
    const told = [...(group?.initContainers ?? []), ...(group?.containers ?? [])].some(
      ({ state: container }) => container.state === 'terminated' && container.exitCode !== 0,
    );
    if (told) return {};
  }
  if (end) return { reason: end.reason, ...(end.message && { message: end.message }) };
  if (hasGivenUp(state)) return { reason: 'ContainerInstanceScheduleFailed', message: triedOf(state) };
  if (parked) return { message: `Waiting: ${parked.message || parked.reason}. ${triedOf(state)}`.trim() };
  return {};
}

/** Where it was tried and why it failed, for people. */
export function triedOf(state: ContainerGroupState): string {
  if (state.failures.length === 0) return '';
  const tried = state.failures.slice(-5).map(({ attempt, specs, chargeType, vSwitchIds, class: refusal, reason }) => {
    const what = [specs.join(', '), chargeType === 'spot' ? 'spot' : ''].filter((word) => word !== '').join(' ');
    const where = vSwitchIds.length > 0 ? ` in ${vSwitchIds.join(', ')}` : '';
    return `attempt ${attempt} (${what}${where}): ${refusal} ${reason}`;
  });
  const earlier = state.failures.length - tried.length;
  return `Tried: ${earlier > 0 ? `${earlier} more; ` : ''}${tried.join('; ')}.`;
}
