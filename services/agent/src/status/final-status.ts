import type { PodStatusMessage } from '#libs/contracts';
import { NOT_LOCATED, type Condition, type PodObject } from '#libs/kubernetes';

type Json = Record<string, unknown>;
type State = { waiting?: Json; running?: { startedAt?: string }; terminated?: { exitCode: number } & Json };
type Container = Json & { name: string; restartCount?: number; state?: State; lastState?: State };

export const isFinal = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

/**
 * The message as it is to be written before the object goes. A pod that the control plane never knew has no status from there, and a control
 * plane of an earlier version names none that is final: then the end is made here, from the best that is known of the pod.
 */
export function withEnd(pod: PodObject, message: PodStatusMessage, now: number): PodStatusMessage {
  if (!message.finalize || pod.metadata.deletionTimestamp === undefined) return message;
  if (isFinal(message.status?.phase as string | undefined)) return message;
  if (isFinal(pod.status?.phase)) {
    const { status: _, ...rest } = message;
    return rest;
  }
  return { ...message, status: finalStatus(pod, message.status ?? pod.status ?? {}, now) };
}

/**
 * A status after which nothing of the pod runs, as a kubelet would leave it: codes that were seen are kept, a container that ran and whose end
 * nobody saw gets 137, one that never started goes on waiting. Pure.
 */
export function finalStatus(pod: PodObject, status: Json, now: number): Json {
  const at = `${new Date(now).toISOString().slice(0, 19)}Z`;
  const podRan = status.phase === 'Running';
  const ended = (list: 'containers' | 'initContainers', statuses: unknown): Container[] => {
    const known = Array.isArray(statuses) ? (statuses as Container[]) : [];
    const specs = Array.isArray(pod.spec[list]) ? (pod.spec[list] as { name: string; image?: string }[]) : [];
    return specs.map(({ name, image = '' }) =>
      endOf(known.find((each) => each.name === name) ?? neverSeen(name, image, podRan), at),
    );
  };
  const containers = ended('containers', status.containerStatuses);
  const initContainers = ended('initContainers', status.initContainerStatuses);
  const endedWell = [...initContainers, ...containers].every(({ state }) => state?.terminated?.exitCode === 0);
  const phase = endedWell && containers.length > 0 ? 'Succeeded' : 'Failed';
  return {
    ...status,
    phase,
    containerStatuses: containers,
    ...(initContainers.length > 0 && { initContainerStatuses: initContainers }),
    conditions: conditionsAfter(status.conditions, phase, at),
  };
}

/** What an empty state stands for. */
const CREATING = { reason: 'ContainerCreating' };

const neverSeen = (name: string, image: string, podRan: boolean): Container => ({
  name,
  image,
  imageID: '',
  restartCount: 0,
  state: podRan ? { running: {} } : { waiting: CREATING },
});

function endOf(container: Container, at: string): Container {
  const { state = {}, lastState, restartCount = 0, ...rest } = container;
  const ended = { ...rest, restartCount, ready: false, started: false };
  if (state.terminated) return { ...container, started: false };
  if (!state.running && lastState?.terminated) return { ...ended, state: lastState, lastState: {} };
  if (!state.running && restartCount === 0) {
    const { waiting = CREATING } = state;
    return { ...ended, state: { waiting }, lastState: lastState ?? {} };
  }
  const { startedAt } = state.running ?? {};
  const terminated = {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: NOT_LOCATED,
    ...(startedAt !== undefined && { startedAt }),
    finishedAt: at,
  };
  return { ...ended, state: { terminated }, lastState: lastState ?? {} };
}

const OVER = ['Ready', 'ContainersReady', 'PodReadyToStartContainers'];

function conditionsAfter(known: unknown, phase: string, at: string): Condition[] {
  const conditions = Array.isArray(known) ? (known as Condition[]) : [];
  const reason = phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed';
  const over = OVER.map((type): Condition => {
    const was = conditions.find((condition) => condition.type === type);
    const since = was?.status === 'False' ? (was.lastTransitionTime ?? at) : at;
    return {
      type,
      status: 'False',
      lastTransitionTime: since,
      ...(type !== 'PodReadyToStartContainers' && { reason }),
    };
  });
  return [...conditions.filter(({ type }) => !OVER.includes(type)), ...over];
}
