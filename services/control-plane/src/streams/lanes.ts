import { EFFECT_ACTIONS, placeOf, placeOfGroup, type ContainerGroupState, type EffectKind } from '#libs/domain';

/** `status`: reads of the observer; no row of work waits there. */
export type LaneAction = 'create' | 'delete' | 'describe' | 'status';

/** A quota of one account in one region. */
interface CloudLane {
  readonly accountId: string;
  readonly region: string;
  readonly action: LaneAction;
}

/** Lane of work that calls no cloud; it has no quota. */
export const LOCAL_LANE = 'local';

export const laneName = ({ accountId, region, action }: CloudLane): string => `${accountId}/${region}/${action}`;

/** Parts of a lane's name; undefined for {@link LOCAL_LANE}. */
export function parseLane(name: string): CloudLane | undefined {
  const match = /^([^/]+)\/([^/]+)\/(create|delete|describe)$/.exec(name);
  return match
    ? { accountId: match[1] as string, region: match[2] as string, action: match[3] as LaneAction }
    : undefined;
}

/** The lane of a container group's effect, from the state that it follows from; `key` as the effect's row has it. */
export function laneOfEffect(kind: EffectKind, key: string, state: ContainerGroupState): string {
  const action = EFFECT_ACTIONS[kind];
  return action === LOCAL_LANE ? LOCAL_LANE : laneName({ ...placeOfEffect(kind, key, state), action });
}

function placeOfEffect(kind: EffectKind, key: string, state: ContainerGroupState) {
  if (kind === 'Delete' || kind === 'Confirm') return placeOfGroup(state, key);
  return kind === 'Place' && state.intent
    ? { accountId: state.intent.need.accountId, region: state.intent.need.region }
    : placeOf(state);
}
