import type { Decision } from '../decider.ts';
import { same } from '../same.ts';
import type { Because, ClusterEvent, ClusterEventData, ClusterFacts, NewClusterEvent } from './events.ts';
import type { ClusterState } from './state.ts';

export type ClusterCommand =
  /** The row as it is before anything else is done to it: what the stream does not tell yet is told first. */
  | { readonly type: 'Observe'; readonly facts: ClusterFacts }
  | ({ readonly type: 'Register'; readonly name: string; readonly accountId: string } & Because)
  | ({ readonly type: 'IssueJoinToken'; readonly expiresAt: string } & Because)
  | ({ readonly type: 'Join' } & ClusterEventData['ClusterJoined'])
  /** `keyGeneration`: of the key that is taken away. */
  | ({ readonly type: 'TakeAgentKey'; readonly keyGeneration: number } & Because)
  | ({ readonly type: 'Supersede' } & ClusterEventData['SessionSuperseded'])
  | ({ readonly type: 'Unregister' } & Because);

/** Agents that keep taking a session from each other are told of this seldom: a stream must not grow by their quarrel. */
export const SUPERSEDED_AGAIN_MS = 10 * 60_000;

/** What one command does to one cluster. Pure; the same command twice changes nothing the second time. `at` is ISO 8601 UTC. */
export function decideCluster(command: ClusterCommand, state: ClusterState, at: string): Decision<ClusterEvent> {
  const outcome = eventsOf(command, state, at);
  return 'code' in outcome
    ? outcome
    : { accepted: true, events: outcome.map((event) => ({ ...event, at }) as ClusterEvent) };
}

type Refusal = Extract<Decision<ClusterEvent>, { accepted: false }>;

function eventsOf(command: ClusterCommand, state: ClusterState, at: string): NewClusterEvent[] | Refusal {
  const { type: _, ...said } = command;
  const { facts } = state;
  if (command.type === 'Observe') return observed(command.facts, facts);
  if (command.type === 'Register') {
    if (facts) return no('Registered', 'it is registered, or was');
    return [{ type: 'ClusterRegistered', data: said as ClusterEventData['ClusterRegistered'] }];
  }
  if (!facts) return no('NoSuchCluster', 'no such cluster is registered');
  const isOver = facts.unregisteredAt !== undefined;
  if (command.type === 'Unregister') return isOver ? [] : [{ type: 'ClusterUnregistered', data: said as Because }];
  if (isOver) return no('Unregistered', 'it was unregistered');
  switch (command.type) {
    case 'IssueJoinToken':
      return [{ type: 'JoinTokenIssued', data: said as ClusterEventData['JoinTokenIssued'] }];
    case 'Join':
      return facts.keyThumbprint === command.keyThumbprint && facts.keyGeneration === command.keyGeneration
        ? []
        : [{ type: 'ClusterJoined', data: said as ClusterEventData['ClusterJoined'] }];
    case 'TakeAgentKey':
      return facts.keyGeneration === command.keyGeneration
        ? [{ type: 'AgentKeyTaken', data: said as ClusterEventData['AgentKeyTaken'] }]
        : [];
    case 'Supersede':
      return isNews(command.epoch, state, at)
        ? [{ type: 'SessionSuperseded', data: said as ClusterEventData['SessionSuperseded'] }]
        : [];
  }
}

function observed(now: ClusterFacts, told: ClusterFacts | undefined): NewClusterEvent[] {
  if (!told) return [{ type: 'ClusterImported', data: now }];
  return same(withoutTimes(now), withoutTimes(told)) ? [] : [{ type: 'ClusterChangedElsewhere', data: now }];
}

/** The row and the event of one change may have been given different times. */
const withoutTimes = ({ registeredAt: _, joinedAt, unregisteredAt, ...facts }: ClusterFacts): object => ({
  ...facts,
  joined: joinedAt !== undefined,
  unregistered: unregisteredAt !== undefined,
});

function isNews(epoch: number, { superseded }: ClusterState, at: string): boolean {
  if (!superseded) return true;
  return epoch > superseded.epoch && Date.parse(at) - Date.parse(superseded.at) >= SUPERSEDED_AGAIN_MS;
}

function no(code: string, message: string): Refusal {
  return { accepted: false, code, message };
}
