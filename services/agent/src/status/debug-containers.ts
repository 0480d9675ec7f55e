import type { PodObject } from '#libs/kubernetes';

type Json = Record<string, unknown>;

/** What `kubectl debug` is told, as the state of the container that it waits for and as an event. */
export const NO_DEBUG_CONTAINERS =
  'ECI cannot add containers to a running group: kubectl debug does not work on this node. The pod runs on.';

const named = (pod: PodObject): readonly Json[] => {
  const list = pod.spec.ephemeralContainers;
  return Array.isArray(list) ? list.filter((each): each is Json => typeof each === 'object' && each !== null) : [];
};

/** Somebody asks for containers that the pod cannot get. */
export const wantsDebugContainers = (pod: PodObject): boolean => named(pod).length > 0;

/** A status for each of them, ended before it began: whoever waits for it goes on. The same pod gives the same statuses. */
export function debugContainerStatuses(pod: PodObject): readonly Json[] {
  return named(pod).map(({ name, image }) => ({
    name,
    image,
    imageID: '',
    ready: false,
    started: false,
    restartCount: 0,
    state: { terminated: { exitCode: 1, reason: 'NotSupported', message: NO_DEBUG_CONTAINERS } },
    lastState: {},
  }));
}

/** The object does not say of each of them what became of it. */
export function owesDebugAnswer(pod: PodObject): boolean {
  const said = pod.status?.['ephemeralContainerStatuses'];
  const names = new Set(Array.isArray(said) ? (said as readonly Json[]).map(({ name }) => name) : []);
  return named(pod).some(({ name }) => !names.has(name));
}
