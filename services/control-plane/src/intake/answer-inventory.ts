import { isClosed, type ContainerGroupState } from '#libs/domain';
import type { InventoryPod } from './ports.ts';

export interface InventoryQuestion {
  readonly pods: readonly InventoryPod[];
  /** Version of each stream whose pod may still exist, by pod UID. */
  readonly openStreams: ReadonlyMap<string, number>;
  /** UIDs among the pods whose stream exists but is history. */
  readonly pastStreams: ReadonlySet<string>;
  /** States of open streams without a pod here, and of those whose pod carries a deletionTimestamp. */
  readonly states: ReadonlyMap<string, ContainerGroupState>;
  readonly quarantined: ReadonlySet<string>;
  /** UIDs of pods whose stop waits for an operator. */
  readonly held: ReadonlySet<string>;
  /** What the inventory before left open. */
  readonly before: { readonly unknownPods: readonly string[]; readonly missingPods: readonly string[] };
}

export interface InventoryAnswer {
  /** The agent reads each of these from its API server and says what it finds. */
  readonly recheck: readonly string[];
  /** The agent has not written their newest status. */
  readonly republish: readonly string[];
  /** Closed, and twice not there: the pod object is gone. */
  readonly objectGone: readonly string[];
  readonly unknownPods: readonly string[];
  readonly missingPods: readonly string[];
}

/**
 * Compares one complete inventory with the streams of its cluster. It never stops anything: an inventory may be older than what was said since, so
 * all that follows is to ask again, to say again, or to note what two inventories agree on.
 */
export function answerInventory(question: InventoryQuestion): InventoryAnswer {
  const { pods, openStreams, pastStreams, states, quarantined, held } = question;
  const unknownBefore = new Set(question.before.unknownPods);
  const missingBefore = new Set(question.before.missingPods);
  const recheck = new Set<string>();
  const republish: string[] = [];
  const unknownPods: string[] = [];
  for (const pod of pods) {
    const version = openStreams.get(pod.uid);
    if (quarantined.has(pod.uid)) recheck.add(pod.uid);
    // It may be back: the agent's word of it takes the hold away.
    if (held.has(pod.uid) && pod.deletionTimestamp === undefined) recheck.add(pod.uid);
    if (version === undefined) {
      if (pastStreams.has(pod.uid) || !wantsStream(pod)) continue;
      unknownPods.push(pod.uid);
      if (unknownBefore.has(pod.uid)) recheck.add(pod.uid);
      continue;
    }
    if (pod.deletionTimestamp !== undefined && !states.get(pod.uid)?.stop) recheck.add(pod.uid);
    if (pod.revision === undefined || pod.revision < version) republish.push(pod.uid);
  }

  const here = new Set(pods.map((pod) => pod.uid));
  const objectGone: string[] = [];
  const missingPods: string[] = [];
  for (const uid of openStreams.keys()) {
    if (here.has(uid)) continue;
    const state = states.get(uid);
    if (!state || !isClosed(state)) {
      recheck.add(uid);
    } else if (missingBefore.has(uid)) {
      objectGone.push(uid);
    } else {
      missingPods.push(uid);
    }
  }
  return { recheck: [...recheck], republish, objectGone, unknownPods, missingPods };
}

/** A pod that waits for nothing, and has not ended or waits to be removed, should have been sent. */
function wantsStream(pod: InventoryPod): boolean {
  if (pod.waitingFor !== undefined) return false;
  return (pod.phase !== 'Succeeded' && pod.phase !== 'Failed') || pod.deletionTimestamp !== undefined;
}
