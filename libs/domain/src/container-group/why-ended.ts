import type { ContainerStatus, EventData } from './events.ts';
import type { ContainerGroupState } from './state.ts';

/** Why a group failed. `bySystem`: nobody of the pod's own ended it, and what its containers say of their end is not the reason. */
interface WhyFailed {
  readonly reason: string;
  readonly message: string;
  readonly bySystem: boolean;
}

/** Why ECI took a group back. */
interface WhyExpired {
  readonly reason: string;
  readonly message: string;
}

type Picture = EventData['ContainersChanged'];
interface SystemReason {
  readonly reason: string;
  readonly message: string;
  /** Epoch milliseconds; NaN = not said. */
  readonly at: number;
  /** It says what will happen, perhaps long before it does. */
  readonly announced?: boolean;
}

/** In a kubelet's words. */
const DEADLINE = {
  reason: 'DeadlineExceeded',
  message: 'Pod was active on the node longer than the specified deadline',
};

/** The cloud's reasons with which it ends a group, or says that it will; each may stand on an event or on a condition. */
const ENDS: readonly (readonly [
  RegExp,
  { readonly announced?: boolean; readonly as?: { readonly reason: string; readonly message?: string } },
])[] = [
  [/Deadline/, { as: DEADLINE }],
  [/PendingTime|StartingFailed/, {}],
  [/^Evict/, {}],
  [/^(System|Instance)Failure\./, {}],
  [/^InsufficientBalance$/, {}],
  [/^System(Failure)?Reboot$/, { announced: true }],
  [/^SpotToBeReleased$/, { announced: true, as: { reason: 'BidFailed' } }],
];

/**
 * What the system says counts before what containers say of their end: whoever is killed has an exit code and is innocent. A pod that had ended by
 * itself before keeps its own reason.
 */
export function whyFailed(picture: Picture, state: ContainerGroupState, finishedAt: string | undefined): WhyFailed {
  const end = systemEnd(picture, state, finishedAt);
  const restartPolicy = state.intent?.pod.restartPolicy ?? 'Never';
  if (end && !endedByItself(picture, restartPolicy, end)) {
    return { reason: end.reason, message: end.message, bySystem: true };
  }
  const failed = [...picture.initContainers, ...picture.containers].find(failedBy);
  if (failed?.state.state === 'terminated') {
    const { reason, exitCode, message } = failed.state;
    const said = message ? `: ${message}` : '';
    return { reason, message: `container ${failed.name} ended with exit code ${exitCode}${said}`, bySystem: false };
  }
  const warning = picture.cloudEvents.filter(({ type }) => type === 'Warning').at(-1);
  return {
    reason: warning?.reason ?? 'Failed',
    message: warning?.message ?? 'ECI reports the container group as failed.',
    bySystem: false,
  };
}

/** A spot group is released; any other that expires was not paid for, or ECI does not say. `spot` = how its release was announced. */
export function whyExpired(picture: Picture, state: ContainerGroupState, spot: string | undefined): WhyExpired {
  const taken = 'ECI took the container group back.';
  if (spot !== undefined || state.attempt?.chargeType === 'spot')
    return { reason: 'BidFailed', message: spot ?? taken };
  const unpaid = systemReasons(picture).find(({ reason }) => reason === 'InsufficientBalance');
  return unpaid ? { reason: unpaid.reason, message: unpaid.message } : { reason: 'Expired', message: taken };
}

function systemEnd(
  picture: Picture,
  state: ContainerGroupState,
  finishedAt: string | undefined,
): SystemReason | undefined {
  const said = systemReasons(picture);
  return said.find(({ announced }) => !announced) ?? deadline(picture, state, finishedAt) ?? said[0];
}

/** Those that the picture holds, in the order of the table. */
function systemReasons({ cloudEvents, conditions }: Picture): readonly SystemReason[] {
  const said = [
    ...cloudEvents.map(({ reason, message, lastTimestamp }) => ({
      reason,
      message,
      at: Date.parse(lastTimestamp ?? ''),
    })),
    ...conditions
      // A host that failed and is back.
      .filter(({ type, status }) => type !== 'SandboxReady' || status !== 'True')
      .map(({ type, reason = '', message, lastTransitionTime }) => ({
        reason,
        message: message || `${type}: ${reason}`,
        at: Date.parse(lastTransitionTime ?? ''),
      })),
  ];
  return ENDS.flatMap(([pattern, { announced = false, as }]) =>
    said.filter(({ reason }) => pattern.test(reason)).map((each) => ({ ...each, ...as, announced })),
  );
}

/** ECI does not document how it says this; the pod's own deadline tells, when its group was ended at it. */
function deadline(
  { startedAt }: Picture,
  { intent }: ContainerGroupState,
  finishedAt: string | undefined,
): SystemReason | undefined {
  const seconds = intent?.pod.activeDeadlineSeconds;
  const at = Date.parse(startedAt ?? '') + (seconds ?? NaN) * 1000;
  return Date.parse(finishedAt ?? '') >= at ? { ...DEADLINE, at } : undefined;
}

/** Only a pod that never restarts its containers can fail by itself: when all have ended, or an init container has failed. */
function endedByItself(
  { initContainers, containers }: Picture,
  restartPolicy: 'Always' | 'OnFailure' | 'Never',
  end: SystemReason,
): boolean {
  if (restartPolicy !== 'Never') return false;
  if (initContainers.some((container) => failedBy(container) && endedBefore(container, end))) return true;
  return (
    containers.length > 0 && containers.some(failedBy) && containers.every((container) => endedBefore(container, end))
  );
}

const failedBy = ({ state }: ContainerStatus): boolean => state.state === 'terminated' && state.exitCode !== 0;

/** 128 + SIGKILL, 128 + SIGTERM. */
const KILLED: readonly number[] = [137, 143];

function endedBefore({ state }: ContainerStatus, { at, announced }: SystemReason): boolean {
  if (state.state !== 'terminated') return false;
  const { exitCode, reason } = state;
  const finishedAt = Date.parse(state.finishedAt ?? '');
  // Between an announcement and what it announces containers may end by themselves.
  if (announced || Number.isNaN(at) || Number.isNaN(finishedAt))
    return !KILLED.includes(exitCode) || reason === 'OOMKilled';
  return finishedAt < at;
}
