import type { AbsenceEvidence, ContainerGroupCommand, CreateOutcome } from './commands.ts';
import type { ContainerGroupEvent, NewContainerGroupEvent } from './events.ts';
import { LISTS_APART_MS } from '../evidence/absences.ts';
import { absenceProvesNothingMade } from '../evidence/create-proof.ts';
import { evolve } from './evolve.ts';
import { observe } from './observe.ts';
import type { Decision } from '../decider.ts';
import { same } from '../same.ts';
import { isCounted } from './counted-stop.ts';
import { attemptInDoubt, isAlive, isFinalStatus, nextAttempt, wantsPlacement } from './questions.ts';
import type { ContainerGroupState, HeldStop } from './state.ts';

/** What one command does to one stream. Pure; the same command twice changes nothing the second time. `at` is ISO 8601 UTC. */
export function decide(
  command: ContainerGroupCommand,
  state: ContainerGroupState,
  at: string,
): Decision<ContainerGroupEvent> {
  if (state.unknownEvents.length > 0) {
    return no(
      'UnknownEvents',
      `the stream holds events of a newer version (${state.unknownEvents.join(', ')}): upgrade this replica`,
    );
  }
  const outcome = eventsOf(command, state);
  if (!Array.isArray(outcome)) return outcome as Refusal;
  const events = outcome.map((e) => ({ ...e, at }) as ContainerGroupEvent);
  const after = events.reduce(evolve, state);
  // What ended by itself need not be kept from being stopped, and its pod may go.
  if (!after.held || !after.end) return { accepted: true, events };
  const released = carriedOut(after.held, { by: 'control-plane', reason: 'it ended by itself' });
  return { accepted: true, events: [...events, ...released.map((e) => ({ ...e, at }) as ContainerGroupEvent)] };
}

type Refusal = Extract<Decision<ContainerGroupEvent>, { accepted: false }>;
type Outcome = NewContainerGroupEvent[] | Refusal;

function eventsOf(command: ContainerGroupCommand, state: ContainerGroupState): Outcome {
  switch (command.type) {
    case 'RunPod':
      return runPod(command, state);
    case 'StopPod':
      return stopPod(command, state);
    case 'ChoosePlacement':
      if (!wantsPlacement(state)) {
        return no('NoPlacementWanted', 'the pod is stopped, held, parked, ended or has an attempt that is not settled');
      }
      if (command.choice.attempt !== nextAttempt(state)) {
        return no('WrongAttempt', `attempt ${nextAttempt(state)} comes next, not ${command.choice.attempt}`);
      }
      return [{ type: 'PlacementChosen', data: command.choice }];
    case 'Park':
      if (!wantsPlacement(state)) return no('NoPlacementWanted', 'only a pod that wants a placement can be parked');
      return [{ type: 'Parked', data: { gate: command.gate, reason: command.reason, message: command.message } }];
    case 'Reject':
      if (!wantsPlacement(state)) return no('NoPlacementWanted', 'only a pod that wants a placement can be rejected');
      return [rejected(command.field, command.reason, command.code)];
    case 'RecordCreate':
      return recordCreate(command.attempt, command.outcome, state);
    case 'RecordNeverSent':
      return state.stop && state.attempt?.number === command.attempt && state.attempt.outcome === 'pending'
        ? [
            {
              type: 'ContainerGroupGone',
              data: { attempt: command.attempt, evidence: 'the create request was never sent' },
            },
          ]
        : [];
    case 'RecordFound':
      return found(command.attempt, command.containerGroupId, state);
    case 'RecordAbsent':
      return recordAbsent(command.attempt, command.evidence, state);
    case 'Observe':
      return observe(command.snapshot, command.knew, state);
    case 'RecordGone':
      return recordGone(command.containerGroupId, command.evidence, state);
    case 'RecordDelete':
      return recordDelete(command.containerGroupId, command.requestId, state);
    case 'RecordTwin':
      if (command.attempt !== undefined && isAttemptInDoubt(command.attempt, state))
        return found(command.attempt, command.containerGroupId, state);
      // Its tags do not say which attempt made it: while one is in doubt it may be that one's.
      if (command.attempt === undefined && attemptInDoubt(state)) return [];
      return isFinalStatus(command.status) ? pastTwin(command, state) : twin(command, state);
    case 'ReleaseStop':
      return state.held ? carriedOut(state.held, command) : [];
    case 'DenyStop': {
      if (!state.held || state.held.denied) return [];
      const { by, reason } = command;
      return [{ type: 'StopDenied', data: { by, ...(reason === undefined ? {} : { reason }) } }];
    }
    case 'Unpark':
      return state.parked ? [{ type: 'Unparked', data: { by: command.by } }] : [];
  }
}

function no(code: string, message: string): Refusal {
  return { accepted: false, code, message };
}

function rejected(field: string, reason: string, code?: string): NewContainerGroupEvent {
  return { type: 'PodRejected', data: { field, reason, ...(code === undefined ? {} : { code }) } };
}

function runPod(command: Extract<ContainerGroupCommand, { type: 'RunPod' }>, state: ContainerGroupState): Outcome {
  const { intent } = state;
  if (state.stop || state.end) return [];
  if (!intent) return firstIntent(command);
  if (!isNewer(command, intent)) return [];
  const back = returned(command, state);
  const rest = laterIntent(command, intent, state);
  return [...back, ...rest];
}

/** A pod whose stop is held is there again: there is nothing to stop any more. */
function returned(
  command: Extract<ContainerGroupCommand, { type: 'RunPod' }>,
  { held }: ContainerGroupState,
): NewContainerGroupEvent[] {
  if (!held || !isNewer(command, held)) return [];
  const { clusterId, agentEpoch, sequence } = command;
  const by = `agent:${clusterId}`;
  return [{ type: 'StopReleased', data: { by, outcome: 'returned', reason: 'the pod exists', agentEpoch, sequence } }];
}

function laterIntent(
  command: Extract<ContainerGroupCommand, { type: 'RunPod' }>,
  intent: NonNullable<ContainerGroupState['intent']>,
  state: ContainerGroupState,
): NewContainerGroupEvent[] {
  const changed = Object.keys({ ...intent.spec, ...command.spec }).filter(
    (field) => intent.spec[field] !== command.spec[field],
  );
  const unsaid = changed.filter((field) => !state.refusedFields.includes(field)).sort();
  const refusal: NewContainerGroupEvent[] =
    unsaid.length > 0 ? [{ type: 'PodChangeRefused', data: { fields: unsaid } }] : [];
  return [...refusal, ...refreshedIntent(command, intent, state)];
}

/** What the agent resolved may be replaced while no attempt holds on to it; also of a pod whose change is refused, or its tokens would die. */
function refreshedIntent(
  command: Extract<ContainerGroupCommand, { type: 'RunPod' }>,
  intent: NonNullable<ContainerGroupState['intent']>,
  state: ContainerGroupState,
): NewContainerGroupEvent[] {
  if (attemptInDoubt(state) || state.group?.open) return [];
  const { agentEpoch, sequence, profileRevision, digests, tokens } = command;
  if (!command.mapped.ok) return [rejected(command.mapped.field, command.mapped.reason)];
  const { need } = command.mapped;
  if (same(digests, intent.digests) && profileRevision === intent.profileRevision && same(need, intent.need)) return [];
  const refreshed: NewContainerGroupEvent = {
    type: 'PodIntentRefreshed',
    data: { agentEpoch, sequence, profileRevision, digests, tokens, need },
  };
  // Waiting for stock of what the pod does not ask for any more would be waiting for nothing.
  const unparked: NewContainerGroupEvent[] =
    state.parked?.gate.kind === 'capacity' && !same(need, intent.need)
      ? [{ type: 'Unparked', data: { by: 'refreshed intent' } }]
      : [];
  return [refreshed, ...unparked];
}

function firstIntent(command: Extract<ContainerGroupCommand, { type: 'RunPod' }>): Outcome {
  if (command.podPhase === 'Succeeded' || command.podPhase === 'Failed') {
    return no('FinalPhase', `the pod is ${command.podPhase} and never runs again`);
  }
  const { clusterId, pod, clearPod, agentEpoch, sequence, profileRevision, spec, digests, tokens, mapped } = command;
  const accepted: NewContainerGroupEvent = {
    type: 'PodIntentAccepted',
    data: {
      clusterId,
      pod,
      clearPod,
      need: mapped.ok ? mapped.need : NOTHING_NEEDED,
      agentEpoch,
      sequence,
      profileRevision,
      spec,
      digests,
      tokens,
      lookUpFirst: mapped.ok && command.podPhase === 'Running',
      ...(mapped.ok && mapped.ignored && mapped.ignored.length > 0 ? { ignored: mapped.ignored } : {}),
    },
  };
  return mapped.ok ? [accepted] : [accepted, rejected(mapped.field, mapped.reason)];
}

/** Need of a pod that cannot be mapped; it is rejected in the same breath. */
const NOTHING_NEEDED = {
  accountId: '',
  region: '',
  vSwitches: [],
  scheduleStrategy: 'default',
  specs: [],
  chargeType: 'on-demand',
  spotFallback: false,
  failStrategy: 'fail-back',
  priority: 0,
} as const;

function isNewer(
  a: { readonly agentEpoch: number; readonly sequence: number },
  b: { readonly agentEpoch: number; readonly sequence: number },
): boolean {
  return a.agentEpoch > b.agentEpoch || (a.agentEpoch === b.agentEpoch && a.sequence > b.sequence);
}

function stopPod(
  command: Extract<ContainerGroupCommand, { type: 'StopPod' }>,
  state: ContainerGroupState,
): NewContainerGroupEvent[] {
  const { by, reason, hold, agentEpoch = 0, sequence = 0 } = command;
  const objectGone: NewContainerGroupEvent[] =
    reason !== 'Deleted' && !state.podObjectGone ? [{ type: 'PodObjectGone', data: { reason } }] : [];
  if (state.stop) return objectGone;
  if (isCounted(command)) {
    if (state.held || (state.returned && !isNewer({ agentEpoch, sequence }, state.returned))) return [];
    if (hold !== undefined && isAlive(state)) {
      return [{ type: 'StopHeld', data: { hold, by, agentEpoch, sequence, ...detailsOf(command) } }];
    }
  }
  // Somebody deletes the pod on purpose, whatever became of the stop before.
  const released: NewContainerGroupEvent[] = state.held
    ? [{ type: 'StopReleased', data: { by, outcome: 'stopped', reason: `a later stop: ${reason}` } }]
    : [];
  return [...released, { type: 'StopRequested', data: { by, ...detailsOf(command) } }, ...objectGone];
}

/** What is said of a stop in every event about it. */
function detailsOf(stop: Omit<HeldStop, 'hold' | 'since' | 'by' | 'agentEpoch' | 'sequence' | 'denied'>) {
  const { reason, namespace, name, graceSeconds, deletionTimestamp, disruption } = stop;
  return {
    reason,
    namespace,
    name,
    ...(graceSeconds === undefined ? {} : { graceSeconds }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(disruption === undefined ? {} : { disruption }),
  };
}

/** A held stop happens now, as it was asked for then. */
function carriedOut(
  held: HeldStop,
  { by, reason }: { readonly by: string; readonly reason?: string },
): NewContainerGroupEvent[] {
  return [
    { type: 'StopReleased', data: { by, outcome: 'stopped', ...(reason === undefined ? {} : { reason }) } },
    { type: 'StopRequested', data: { by: held.by, ...detailsOf(held) } },
    ...(held.reason === 'Deleted'
      ? []
      : [{ type: 'PodObjectGone', data: { reason: held.reason } } satisfies NewContainerGroupEvent]),
  ];
}

function recordCreate(attempt: number, outcome: CreateOutcome, state: ContainerGroupState): NewContainerGroupEvent[] {
  if (outcome.kind === 'retry') return [];
  if (outcome.kind === 'done') {
    const { containerGroupId, requestId } = outcome;
    if (isAttemptInDoubt(attempt, state))
      return [{ type: 'ContainerGroupCreated', data: { attempt, containerGroupId, requestId } }];
    return twin({ containerGroupId, attempt, status: 'Scheduling' }, state);
  }
  // After one unknown call a refusal to a repeat proves nothing: the first call may have made the group.
  if (state.attempt?.number !== attempt || state.attempt.outcome !== 'pending') return [];
  if (outcome.kind === 'unknown') return [{ type: 'CreateOutcomeUnknown', data: { attempt, reason: outcome.reason } }];

  const { code, class: refusalClass, message, requestId } = outcome;
  const refused: NewContainerGroupEvent = {
    type: 'CreateRefused',
    data: { attempt, code, class: refusalClass, message, ...(requestId === undefined ? {} : { requestId }) },
  };
  if (state.stop) return [refused];
  switch (refusalClass) {
    case 'STOCK_OUT':
    case 'VSWITCH_IP_EXHAUSTED':
      return [refused];
    case 'QUOTA':
    case 'AUTH':
      return [
        refused,
        {
          type: 'Parked',
          data: {
            gate: { kind: 'account', accountId: state.attempt.accountId, class: refusalClass },
            reason: code,
            message,
          },
        },
      ];
    case 'NOT_FOUND':
    case 'INVALID_REQUEST':
      return [refused, rejected('request', `ECI refused it with ${code}: ${message}`, code)];
  }
}

function isAttemptInDoubt(attempt: number, state: ContainerGroupState): boolean {
  if (!attemptInDoubt(state)) return false;
  return state.attempt === undefined || state.attempt.number === attempt;
}

function found(attempt: number, containerGroupId: string, state: ContainerGroupState): NewContainerGroupEvent[] {
  if (isAttemptInDoubt(attempt, state)) return [{ type: 'Adopted', data: { attempt, containerGroupId } }];
  return twin({ containerGroupId, attempt, status: 'Unknown' }, state);
}

type Twin = Omit<Extract<ContainerGroupCommand, { type: 'RecordTwin' }>, 'type'>;

/** An open group of this pod that is not the current one must not live. A group that was taken for gone and is back is one, too. */
function twin(
  { containerGroupId, status, attempt, createdAt, accountId, region }: Twin,
  state: ContainerGroupState,
): NewContainerGroupEvent[] {
  if (state.twins[containerGroupId]) return [];
  if (state.group?.containerGroupId === containerGroupId && !state.group.gone) return [];
  const data = {
    containerGroupId,
    status,
    ...(attempt === undefined ? {} : { attempt }),
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(accountId === undefined || region === undefined ? {} : { accountId, region }),
  };
  return [{ type: 'OrphanFound', data }];
}

/** A group that came and ended unseen: nothing is to be done, but it ran for this pod and was paid for, so its stream names it. */
function pastTwin(past: Twin, state: ContainerGroupState): NewContainerGroupEvent[] {
  const { containerGroupId, status, finishedAt } = past;
  const isNamed =
    state.group?.containerGroupId === containerGroupId ||
    state.twins[containerGroupId] !== undefined ||
    state.pastTwins.includes(containerGroupId);
  if (isNamed) return [];
  // A group that was never scheduled cost nothing: its lifetime is left out, so that it counts as none.
  const isFree = status === 'ScheduleFailed';
  const { createdAt: _, ...withoutTime } = past;
  const evidence = `it had ended by itself: ${status}`;
  return [
    ...twin(isFree ? withoutTime : past, state),
    {
      type: 'ContainerGroupGone',
      data: { containerGroupId, evidence, ...(isFree || finishedAt === undefined ? {} : { finishedAt }) },
    },
  ];
}

function recordAbsent(attempt: number, evidence: AbsenceEvidence, state: ContainerGroupState): Outcome {
  if (!isAttemptInDoubt(attempt, state)) return [];
  const { firstAt, secondAt, apartMs, ageMs } = evidence;
  if (apartMs < LISTS_APART_MS) return no('EvidenceTooClose', 'the two look-ups must be at least 60 s apart');

  const told = `two complete look-ups by tag, at ${firstAt} and ${secondAt} (epoch ms), found no group`;
  if (!state.attempt) {
    // The pod ran before this stream knew of it. Its group is gone, and what became of it nobody can say.
    return [outcomeUnknown(told), { type: 'ContainerGroupGone', data: { attempt, evidence: told } }];
  }
  const gone: NewContainerGroupEvent = { type: 'ContainerGroupGone', data: { attempt, evidence: told } };
  // Whichever clock says that it was too long ago is believed: then nothing runs twice.
  const firstCall = Date.parse(state.attempt.unknownSince ?? state.attempt.chosenAt);
  const age = Math.max(ageMs, secondAt - firstCall);
  const proves = absenceProvesNothingMade(age) || state.intent?.pod.restartPolicy === 'Always';
  return proves ? [gone] : [outcomeUnknown(told), gone];
}

function outcomeUnknown(told: string): NewContainerGroupEvent {
  return {
    type: 'ContainerGroupFailed',
    data: { reason: 'OutcomeUnknown', message: `The end of the container group was not seen: ${told}.` },
  };
}

function recordGone(containerGroupId: string, evidence: string, state: ContainerGroupState): NewContainerGroupEvent[] {
  const gone: NewContainerGroupEvent = { type: 'ContainerGroupGone', data: { containerGroupId, evidence } };
  if (state.twins[containerGroupId]) return [gone];
  const { group } = state;
  if (group?.containerGroupId !== containerGroupId || group.gone) return [];
  if (!group.open || group.deleteAcceptedAt || state.stop) return [gone];
  return [
    {
      type: 'ContainerGroupFailed',
      data: {
        containerGroupId,
        reason: 'OutcomeUnknown',
        message: `The container group vanished without our delete: ${evidence}.`,
        ...(group.status === null ? {} : { lastSeen: group.status }),
      },
    },
    gone,
  ];
}

function recordDelete(
  containerGroupId: string,
  requestId: string | undefined,
  state: ContainerGroupState,
): NewContainerGroupEvent[] {
  const accepted: NewContainerGroupEvent = {
    type: 'DeleteAccepted',
    data: { containerGroupId, ...(requestId === undefined ? {} : { requestId }) },
  };
  const known = state.twins[containerGroupId];
  if (known) return known.deleteAcceptedAt ? [] : [accepted];
  const { group } = state;
  return group?.containerGroupId === containerGroupId && !group.gone && !group.deleteAcceptedAt ? [accepted] : [];
}
