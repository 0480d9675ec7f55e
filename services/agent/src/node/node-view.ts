import type { SessionState, SessionStatus } from '../session/session.ts';
import type { NodeView } from './node-object.ts';

const REASONS: Readonly<Record<Exclude<SessionState, 'live'>, string>> = {
  joining: 'NotJoined',
  connecting: 'NotConnected',
  away: 'ControlPlaneAway',
  superseded: 'Superseded',
  revoked: 'ClusterRevoked',
  refused: 'SessionRefused',
};

/** What the node says of the fleet's centre: whether the session lives, and then whether Kafka can be reached. */
export function nodeViewOf({ state, detail }: Pick<SessionStatus, 'state' | 'detail'>, kafkaAway: boolean): NodeView {
  if (state !== 'live') return { controlPlane: { reachable: false, reason: REASONS[state], message: detail } };
  if (kafkaAway)
    return { controlPlane: { reachable: false, reason: 'MessagingAway', message: 'Kafka cannot be reached' } };
  return {
    controlPlane: {
      reachable: true,
      reason: 'SessionLive',
      message: 'the agent has a session with the control plane',
    },
  };
}
