import type { ContainerGroupState, EffectKind } from '#libs/domain';

export type LaneAction = 'create' | 'delete' | 'describe';

/** A quota of one account in one region. */
export interface CloudLane {
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

const ACTIONS: Readonly<Record<Exclude<EffectKind, 'Refresh'>, LaneAction>> = {
  Place: 'create',
  Create: 'create',
  Delete: 'delete',
  LookUp: 'describe',
  Confirm: 'describe',
};

/** Where the groups of this stream's present attempt are: as the attempt was chosen, which may differ from what the pod asks for by now. */
export function placeOf(state: ContainerGroupState): { readonly accountId: string; readonly region: string } {
  const { attempt, intent } = state;
  if (attempt?.accountId) return { accountId: attempt.accountId, region: attempt.region };
  return { accountId: intent?.need.accountId ?? '', region: intent?.need.region ?? '' };
}

/** The lane of an effect, from the state that it follows from. */
export function laneOfEffect(kind: EffectKind, state: ContainerGroupState): string {
  if (kind === 'Refresh') return LOCAL_LANE;
  const { accountId, region } =
    kind === 'Place' && state.intent
      ? { accountId: state.intent.need.accountId, region: state.intent.need.region }
      : placeOf(state);
  return laneName({ accountId, region, action: ACTIONS[kind] });
}
