import type { StopPod } from '#libs/contracts';
import type { PodObject, Stored } from '#libs/kubernetes';
import { isFinal } from '../status/final-status.ts';

/** What this agent has sent about one pod, and what it was asked to send again. */
export interface PodRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** `metadata.generation` of the last RunPod the broker took. */
  sentGeneration?: number | undefined;
  sent: boolean;
  /** Which deletion a StopPod was sent for. */
  sentStop?: string | undefined;
  /** The object is gone; how we know. */
  gone?: 'ObjectGone' | 'Absent' | undefined;
  /** Who ended it, as its last state said; see {@link disruptionOf}. */
  goneBy?: string | undefined;
  /** Send again although nothing changed. */
  again: boolean;
  /** Why no RunPod was sent yet; for people and the inventory. */
  waitingFor?: string | undefined;
}

type NextIntent = { readonly kind: 'run' } | { readonly kind: 'stop'; readonly body: StopPod } | undefined;

/** The one thing to say about a pod now. A pod in a final phase never runs again, whoever asks. */
export function nextIntent(record: PodRecord, pod: Stored<PodObject> | undefined): NextIntent {
  const { uid, namespace, name } = record;
  if (!pod) {
    if (!record.gone) return undefined;
    const { gone, goneBy } = record;
    const body: StopPod = { kind: 'StopPod', uid, namespace, name, reason: gone };
    return { kind: 'stop', body: goneBy === undefined ? body : { ...body, disruption: goneBy } };
  }
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (deletionTimestamp !== undefined) {
    if (record.sentStop === deletionOf(pod) && !record.again) return undefined;
    const disruption = disruptionOf(pod);
    return {
      kind: 'stop',
      body: {
        kind: 'StopPod',
        uid,
        namespace,
        name,
        deletionTimestamp,
        ...(deletionGracePeriodSeconds === undefined ? {} : { graceSeconds: deletionGracePeriodSeconds }),
        reason: 'Deleted',
        ...(disruption === undefined ? {} : { disruption }),
      },
    };
  }
  if (isFinal(pod.status?.phase)) return undefined;
  if (!record.sent || record.again || record.sentGeneration !== pod.metadata.generation) return { kind: 'run' };
  return undefined;
}

/** Tells one deletion from its repeat with a shorter grace period. */
export function deletionOf(pod: PodObject): string {
  return `${pod.metadata.deletionTimestamp ?? ''} ${pod.metadata.deletionGracePeriodSeconds ?? ''}`;
}

/** Who ends the pod, when it is not its owner or a person: taint manager, preemption, eviction, garbage collection. */
export function disruptionOf(pod: PodObject): string | undefined {
  const condition = pod.status?.conditions?.find((c) => c.type === 'DisruptionTarget' && c.status === 'True');
  return condition && (condition.reason ?? 'Unknown');
}
