import type { StopPod } from '#libs/contracts';
import type { ContainerGroupCommand } from '#libs/domain';

interface StopPodMessage {
  readonly clusterId: string;
  readonly agentEpoch: number;
  readonly sequence: number;
  readonly body: StopPod;
}

/**
 * The command for a StopPod. It is never ignored for its age: a UID that was deleted does not come back. `hold`: the mass-delete guard keeps it
 * for an operator.
 */
export function stopPodCommand(message: StopPodMessage, hold: string | undefined): ContainerGroupCommand {
  const { clusterId, agentEpoch, sequence, body } = message;
  const { uid, namespace, name, reason, graceSeconds, deletionTimestamp, disruption } = body;
  return {
    type: 'StopPod',
    clusterId,
    podUid: uid,
    namespace,
    name,
    by: `agent:${clusterId}`,
    reason,
    agentEpoch,
    sequence,
    ...(graceSeconds !== undefined && { graceSeconds }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(disruption !== undefined && { disruption }),
    ...(hold !== undefined && { hold }),
  };
}
