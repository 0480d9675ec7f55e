import type { StopPod } from '#libs/contracts';
import type { ContainerGroupCommand } from '#libs/domain';

/**
 * The command for a StopPod. It is never ignored for its age: a UID that was deleted does not come back. A guard against mass deletion belongs
 * between this and the decision: it knows the reason, the disruption and the cluster.
 */
export function stopPodCommand(clusterId: string, body: StopPod): ContainerGroupCommand {
  const { uid, namespace, name, reason, graceSeconds, deletionTimestamp } = body;
  return {
    type: 'StopPod',
    clusterId,
    podUid: uid,
    namespace,
    name,
    by: `agent:${clusterId}`,
    reason,
    ...(graceSeconds !== undefined && { graceSeconds }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
}
