import type { ContainerStatus, EventData, GroupStatus, StoredContainerGroupEvent } from './events.ts';
import { finalize } from './questions.ts';
import { initialState, type Attempt, type ContainerGroupState, type KnownGroup } from './state.ts';

const isInitialized = (containers: readonly ContainerStatus[], initContainers: readonly ContainerStatus[]): boolean =>
  containers.some((c) => c.restartCount > 0 || c.state.state === 'running' || hasStartTime(c)) ||
  (initContainers.length > 0 && initContainers.every((c) => c.state.state === 'terminated' && c.state.exitCode === 0));

const hasStartTime = ({ state }: ContainerStatus): boolean =>
  state.state === 'terminated' && state.startedAt !== undefined;

const RUNNING: ReadonlySet<GroupStatus> = new Set(['Running', 'Restarting', 'Updating', 'Terminating']);

/** Folds a stream. Total: an event that does not fit changes nothing, an unknown one is noted (deciders then refuse). */
export function fold(events: readonly StoredContainerGroupEvent[]): ContainerGroupState {
  return events.reduce(evolve, initialState);
}

export function evolve(state: ContainerGroupState, event: StoredContainerGroupEvent): ContainerGroupState {
  const after = { ...applied(state, event), version: state.version + 1 };
  return after.finalSince === undefined && finalize(after) ? { ...after, finalSince: event.at } : after;
}

function applied(state: ContainerGroupState, event: StoredContainerGroupEvent): ContainerGroupState {
  switch (event.type) {
    case 'PodIntentAccepted':
      return { ...state, intent: { ...event.data, acceptedAt: event.at } };
    case 'PodIntentRefreshed':
      return state.intent ? { ...state, intent: { ...state.intent, ...event.data } } : state;
    case 'PodChangeRefused':
      return { ...state, refusedFields: [...new Set([...state.refusedFields, ...event.data.fields])].sort() };
    case 'PodRejected':
      return ended(state, 'rejected', 'ProviderFailed', `${event.data.field}: ${event.data.reason}`, event.at);
    case 'PlacementChosen':
      return { ...withoutGroup(state), attempt: chosen(event.data, event.at) };
    case 'ContainerGroupCreated':
    case 'Adopted':
      return opened(state, event.data.attempt, event.data.containerGroupId, event.at);
    case 'CreateRefused': {
      const { attempt, code, class: refusalClass, message } = event.data;
      if (state.attempt?.number !== attempt) return state;
      const refused = {
        ...state.attempt,
        outcome: 'refused',
        refusal: { code, class: refusalClass, message },
      } as const;
      return { ...failed({ ...state, attempt: refused }, refused, refusalClass, code), mayPassGate: false };
    }
    case 'CreateOutcomeUnknown':
      return state.attempt?.number === event.data.attempt && state.attempt.outcome === 'pending'
        ? { ...state, attempt: { ...state.attempt, outcome: 'unknown', unknownSince: event.at } }
        : state;
    case 'ContainerGroupLanded':
      return withGroup(state, event.data.containerGroupId, (group) => {
        const { zone, vSwitchId, spec, cpu, memoryGiB } = event.data;
        return {
          ...group,
          landed: {
            zone,
            vSwitchId,
            spec,
            ...(cpu === undefined ? {} : { cpu }),
            ...(memoryGiB === undefined ? {} : { memoryGiB }),
          },
        };
      });
    case 'SchedulingFailed': {
      if (state.attempt?.number !== event.data.attempt || state.group?.containerGroupId !== event.data.containerGroupId)
        return state;
      const attempt: Attempt = { ...state.attempt, outcome: 'schedule-failed' };
      const group: KnownGroup = { ...state.group, status: 'ScheduleFailed', open: false };
      return { ...failed({ ...state, attempt, group }, attempt, 'STOCK_OUT', event.data.reason), mayPassGate: false };
    }
    case 'Parked':
      return {
        ...state,
        mayPassGate: false,
        parked: { gate: event.data.gate, since: event.at, reason: event.data.reason, message: event.data.message },
      };
    case 'Unparked': {
      const { parked: _, ...rest } = state;
      return { ...rest, failures: [], mayPassGate: true };
    }
    case 'ContainersChanged':
      return withGroup(state, event.data.containerGroupId, (group) => {
        const { status, containers, initContainers, conditions, cloudEvents, podIp, startedAt } = event.data;
        const ready = status === 'Running' && containers.length > 0 && containers.every((c) => c.ready);
        return {
          ...group,
          status,
          ...(group.hasRun || RUNNING.has(status) ? { hasRun: true } : {}),
          ...(group.initializedSince === undefined && isInitialized(containers, initContainers)
            ? { initializedSince: event.at }
            : {}),
          ...(ready === (group.ready ?? false) ? {} : { ready, readySince: event.at }),
          containers,
          initContainers,
          conditions,
          cloudEvents,
          ...(podIp === undefined ? {} : { podIp }),
          ...(startedAt === undefined ? {} : { startedAt }),
          sightVersion: state.version + 1,
          beyondScheduling: group.beyondScheduling || isBeyondScheduling(status),
        };
      });
    case 'ContainerGroupSucceeded':
      return ended(finished(state, event.data.containerGroupId, 'Succeeded'), 'succeeded', 'Completed', '', event.at);
    case 'ContainerGroupFailed':
      return ended(
        finished(state, event.data.containerGroupId, 'Failed'),
        'failed',
        event.data.reason,
        event.data.message,
        event.at,
        event.data.bySystem,
      );
    case 'SpotReleaseAnnounced':
      return withGroup(state, event.data.containerGroupId, (group) => ({ ...group, spotRelease: event.data.message }));
    case 'ContainerGroupExpired':
      return ended(
        finished(state, event.data.containerGroupId, 'Expired'),
        'expired',
        event.data.reason ?? 'BidFailed',
        event.data.message,
        event.at,
      );
    case 'StopRequested': {
      if (state.stop) return state;
      const { by, reason, graceSeconds, namespace, name } = event.data;
      const { parked: _, ...rest } = state;
      return {
        ...rest,
        stop: {
          at: event.at,
          by,
          reason,
          ...(graceSeconds === undefined ? {} : { graceSeconds }),
          ...(namespace === undefined ? {} : { namespace }),
          ...(name === undefined ? {} : { name }),
        },
      };
    }
    case 'DeleteAccepted': {
      const id = event.data.containerGroupId;
      const twin = state.twins[id];
      if (twin) return { ...state, twins: { ...state.twins, [id]: { ...twin, deleteAcceptedAt: event.at } } };
      return withGroup(state, id, (group) => ({ ...group, deleteAcceptedAt: event.at }));
    }
    case 'ContainerGroupGone':
      return gone(state, event.data, event.at);
    case 'OrphanFound': {
      const { containerGroupId, accountId, region } = event.data;
      const place = accountId !== undefined && region !== undefined ? { place: { accountId, region } } : {};
      return { ...state, twins: { ...state.twins, [containerGroupId]: { foundAt: event.at, ...place } } };
    }
    case 'StopHeld':
      return { ...state, held: { ...event.data, since: event.at } };
    case 'StopDenied':
      return state.held ? { ...state, held: { ...state.held, denied: { ...event.data, at: event.at } } } : state;
    case 'StopReleased': {
      const { held: _, ...rest } = state;
      const { outcome, agentEpoch, sequence } = event.data;
      return outcome === 'returned' && agentEpoch !== undefined && sequence !== undefined
        ? { ...rest, returned: { agentEpoch, sequence } }
        : rest;
    }
    case 'PodObjectGone':
      return { ...state, podObjectGone: true };
    case 'Unknown':
      // A newer writer exists: nothing is decided on half the facts.
      return { ...state, unknownEvents: [...state.unknownEvents, event.was] };
  }
}

function chosen(data: EventData['PlacementChosen'], at: string): Attempt {
  const { attempt, clientToken, accountId, region, candidates, specs, chargeType } = data;
  return {
    number: attempt,
    clientToken,
    accountId,
    region,
    candidates,
    specs,
    chargeType,
    chosenAt: at,
    outcome: 'pending',
  };
}

function withoutGroup(state: ContainerGroupState): ContainerGroupState {
  const { group: _, ...rest } = state;
  return rest;
}

/** A group of this attempt exists. An attempt that this stream never chose (a pod that already ran) is taken as found. */
function opened(state: ContainerGroupState, number: number, containerGroupId: string, at: string): ContainerGroupState {
  const need = state.intent?.need;
  const attempt: Attempt =
    state.attempt?.number === number
      ? { ...state.attempt, outcome: 'open' }
      : {
          number,
          clientToken: '',
          accountId: need?.accountId ?? '',
          region: need?.region ?? '',
          candidates: [],
          specs: [],
          chargeType: need?.chargeType ?? 'on-demand',
          chosenAt: at,
          outcome: 'open',
        };
  const group: KnownGroup = {
    containerGroupId,
    attempt: number,
    since: at,
    status: null,
    beyondScheduling: false,
    containers: [],
    initContainers: [],
    conditions: [],
    cloudEvents: [],
    open: true,
    gone: false,
  };
  return { ...state, attempt, group, mayPassGate: false };
}

function failed(
  state: ContainerGroupState,
  attempt: Attempt,
  refusalClass: ContainerGroupState['failures'][number]['class'],
  reason: string,
): ContainerGroupState {
  const failure = {
    attempt: attempt.number,
    specs: attempt.specs,
    vSwitchIds: attempt.candidates.map((c) => c.vSwitchId),
    chargeType: attempt.chargeType,
    class: refusalClass,
    reason,
  };
  return { ...state, failures: [...state.failures, failure] };
}

function withGroup(
  state: ContainerGroupState,
  id: string,
  change: (group: KnownGroup) => KnownGroup,
): ContainerGroupState {
  return state.group?.containerGroupId === id ? { ...state, group: change(state.group) } : state;
}

function finished(state: ContainerGroupState, id: string | undefined, status: GroupStatus): ContainerGroupState {
  const attempt = state.attempt && { attempt: { ...state.attempt, outcome: 'ended' as const } };
  const group =
    state.group && state.group.containerGroupId === id
      ? {
          group: {
            ...state.group,
            status: status === 'Failed' && state.group.gone ? state.group.status : status,
            open: false,
          },
        }
      : {};
  return { ...state, ...attempt, ...group };
}

function ended(
  state: ContainerGroupState,
  kind: NonNullable<ContainerGroupState['end']>['kind'],
  reason: string,
  message: string,
  at: string,
  bySystem = false,
): ContainerGroupState {
  if (state.end) return state;
  const { parked: _, ...rest } = state;
  return { ...rest, end: { kind, reason, message, at, ...(bySystem && { bySystem }) } };
}

function gone(state: ContainerGroupState, data: EventData['ContainerGroupGone'], at: string): ContainerGroupState {
  const id = data.containerGroupId;
  if (id === undefined) {
    if (!state.attempt || state.attempt.number !== data.attempt) return state;
    return { ...state, attempt: { ...state.attempt, outcome: state.attempt.outcome === 'ended' ? 'ended' : 'absent' } };
  }
  const { [id]: twin, ...twins } = state.twins;
  if (twin) return { ...state, twins, pastTwins: [...new Set([...state.pastTwins, id])] };
  const after = withGroup(state, id, (group) => ({ ...group, open: false, gone: true, goneAt: at }));
  return after.group?.containerGroupId === id && after.attempt?.outcome === 'open'
    ? { ...after, attempt: { ...after.attempt, outcome: 'ended' } }
    : after;
}

export function isBeyondScheduling(status: GroupStatus): boolean {
  return status !== 'Scheduling' && status !== 'ScheduleFailed' && status !== 'Unknown';
}
