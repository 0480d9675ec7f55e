import { isClosed, type ContainerGroupState } from '#libs/domain';
import type { InventoryPod } from './ports.ts';

export interface InventoryQuestion {
  readonly pods: readonly InventoryPod[];
  /** Version of each stream whose pod may still exist, by pod UID. */
  readonly openStreams: ReadonlyMap<string, number>;
  /** Version of each stream that is history, its pod object taken for gone, by the UID of a pod that is here all the same. */
  readonly pastStreams: ReadonlyMap<string, number>;
  /** States of open streams without a pod here, and of those whose pod carries a deletionTimestamp. */
  readonly states: ReadonlyMap<string, ContainerGroupState>;
  readonly quarantined: ReadonlySet<string>;
  /** UIDs of pods whose stop waits for an operator. */
  readonly held: ReadonlySet<string>;
  /** What the inventory before left open. */
  readonly before: { readonly unknownPods: readonly string[]; readonly missingPods: readonly string[] };
  /** Since the inventory before a key of the agent has ended: pods may have been sent that nobody can read. */
  readonly keyEnded: boolean;
}

interface InventoryAnswer {
  /** The agent reads each of these from its API server and says what it finds. */
  readonly recheck: readonly string[];
  /** The agent has not written their newest status. */
  readonly republish: readonly string[];
  readonly unknownPods: readonly string[];
  /** Of streams that count on a pod object, those whose pod is not here. */
  readonly missingPods: readonly string[];
}

/**
 * Compares one complete inventory with the streams of its cluster. It never stops or concludes anything: an inventory may be older than what was
 * said since, by far when its partition had to wait, so all that follows is to ask the agent, which reads the API server, or to say again.
 */
export function answerInventory(question: InventoryQuestion): InventoryAnswer {
  const { pods, openStreams, pastStreams, states, quarantined, held, keyEnded } = question;
  const unknownBefore = new Set(question.before.unknownPods);
  const missingBefore = new Set(question.before.missingPods);
  const recheck = new Set<string>();
  const republish: string[] = [];
  const unknownPods: string[] = [];
  for (const pod of pods) {
    const version = openStreams.get(pod.uid) ?? pastStreams.get(pod.uid);
    if (quarantined.has(pod.uid)) recheck.add(pod.uid);
    // It may be back: the agent's word of it takes the hold away.
    if (held.has(pod.uid) && pod.deletionTimestamp === undefined) recheck.add(pod.uid);
    if (version === undefined) {
      if (!wantsStream(pod)) continue;
      unknownPods.push(pod.uid);
      if (keyEnded || unknownBefore.has(pod.uid)) recheck.add(pod.uid);
      continue;
    }
    if (pod.deletionTimestamp !== undefined && openStreams.has(pod.uid) && !states.get(pod.uid)?.stop)
      recheck.add(pod.uid);
    // With a tombstone on its topic the agent knows nothing of a pod that came back, or never left, and would never let it go.
    if (pod.revision === undefined || pod.revision < version) republish.push(pod.uid);
  }

  const here = new Set(pods.map((pod) => pod.uid));
  const missingPods: string[] = [];
  for (const uid of openStreams.keys()) {
    if (here.has(uid)) continue;
    const state = states.get(uid);
    // Of a closed stream the object's end is mostly on its way to us, or the inventory is older than the pod.
    const onItsWay = state !== undefined && isClosed(state) && !missingBefore.has(uid);
    if (!onItsWay) recheck.add(uid);
    missingPods.push(uid);
  }
  return { recheck: [...recheck], republish, unknownPods, missingPods };
}

/** A pod that waits for nothing, and has not ended or waits to be removed, should have been sent. */
function wantsStream(pod: InventoryPod): boolean {
  if (pod.waitingFor !== undefined) return false;
  return (pod.phase !== 'Succeeded' && pod.phase !== 'Failed') || pod.deletionTimestamp !== undefined;
}
