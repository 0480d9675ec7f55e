/** Promises that are checked at the very step that could break them. */
import { evolve, initialState, parseStreamId, type ContainerGroupState } from '#libs/domain';
import type { InMemoryDatabase, RecordedEvent } from '#libs/event-store';
import { domainEvent } from '../../../services/control-plane/src/streams/stored-events.ts';
import type { LedgerGroup } from '../../../services/eci-simulator/src/core/group.ts';
import type { Pod } from '../parts/api-server.ts';
import type { ExecutedCreate } from '../parts/cloud.ts';
import { Violation } from './violation.ts';

const FINAL: ReadonlySet<string> = new Set(['Succeeded', 'Failed', 'ScheduleFailed', 'Gone']);
export const isOpen = ({ status }: LedgerGroup): boolean => !FINAL.has(status);
export const podOf = ({ tags }: LedgerGroup): string =>
  `container_group:${tags['eci-fleet-cluster'] ?? ''}:${tags['eci-fleet-pod-uid'] ?? ''}`;

/** After so much time from the moment when its sender made sure of its claim, a call has ended or its deadline has passed. */
const CALL_DEADLINE_MS = 45_000;

/**
 * O3: no pod has two open groups. A call that takes effect after its deadline, because the cloud sat on it or its sender was stopped, is the one
 * exception that the design knows: its group must be deleted in the end, which {@link atTheEnd} checks.
 */
export class OneGroupEach {
  /** Groups that a late call made. */
  readonly late = new Set<string>();

  onCreate({ group, lateMs }: ExecutedCreate, groups: Iterable<LedgerGroup>): void {
    if (lateMs > CALL_DEADLINE_MS) this.late.add(group.containerGroupId);
    const pod = podOf(group);
    const open = [...groups].filter(
      (each) => podOf(each) === pod && isOpen(each) && !this.late.has(each.containerGroupId),
    );
    if (open.length > 1) {
      const which = open.map((each) => `${each.containerGroupId} (attempt ${each.tags['eci-fleet-attempt']})`);
      throw new Violation('O3', `${pod} has ${open.length} open groups: ${which.join(', ')}`);
    }
  }

  /** A pod object is removed only when nothing of it runs: whoever looks at the cluster believes that the pod is no more. */
  onRemoved(pod: string, groups: Iterable<LedgerGroup>): void {
    for (const group of groups) {
      if (podOf(group) === pod && isOpen(group) && !this.late.has(group.containerGroupId))
        throw new Violation('O9', `the object of ${pod} was removed, and ${group.containerGroupId} is ${group.status}`);
    }
  }
}

/** O9: finalizers, Jobs and whoever watches wait for the end of a pod, so its object is removed only with one: a final phase, and nothing that runs. */
export function hasItsEnd({ metadata, status }: Pod): void {
  const phase = status?.phase;
  if (phase !== 'Succeeded' && phase !== 'Failed')
    throw new Violation('O9', `the object of ${metadata.uid} was removed while it showed ${String(phase)}`);
  for (const { name, state } of (status?.['containerStatuses'] ?? []) as {
    name: string;
    state?: { running?: unknown };
  }[])
    if (state?.running)
      throw new Violation('O9', `the object of ${metadata.uid} was removed while it showed that ${name} runs`);
}

/** O1: what an intake has read is read: within a log's epoch no offset goes back, whoever still believes in an older one. */
export class OffsetsGrow {
  private readonly known = new Map<string, bigint>();

  look({ tables }: InMemoryDatabase): void {
    for (const { group, topic, partition, epoch, offset } of tables.inbox.values()) {
      const name = `${group} ${topic}/${partition} epoch ${epoch}`;
      const before = this.known.get(name);
      if (before !== undefined && offset < before)
        throw new Violation('O1', `${name}: ${before} went back to ${offset}`);
      if (before !== offset) this.known.set(name, offset);
    }
  }
}

/** O6: calls keep to the quota. A little more than the bucket holds is allowed, since a call arrives some time after its token was taken. */
export class WithinQuota {
  private readonly levels = new Map<string, { tokens: number; at: number }>();
  private readonly quota: Readonly<Record<string, { readonly rate: number; readonly burst: number }>>;

  constructor(quota: WithinQuota['quota']) {
    this.quota = quota;
  }

  onCall(action: string, now: number): void {
    const bucket = this.quota[action];
    if (!bucket) return;
    const level = this.levels.get(action) ?? { tokens: bucket.burst, at: now };
    const tokens = Math.min(bucket.burst, level.tokens + ((now - level.at) / 1000) * bucket.rate) - 1;
    this.levels.set(action, { tokens, at: now });
    const slack = bucket.burst + bucket.rate * 10;
    if (tokens < -slack) {
      throw new Violation('O6', `${action}: ${Math.round(-tokens)} calls above a bucket of ${bucket.burst}`);
    }
  }
}

/** O1: whatever came in can be recorded. What cannot comes again and again, or is never heard of. */
export function canBeRecorded(refused: Error): void {
  throw new Violation('O1', `what happened cannot be recorded: ${refused.message}`);
}

/** O4, O7 and O8 for every event, and its stream as it folds. */
export class DenseStreams {
  readonly states = new Map<string, ContainerGroupState>();
  private readonly lastAt = new Map<string, string>();

  onEvent(event: RecordedEvent): void {
    const { streamId, version, type, recordedAt } = event;
    const before = this.states.get(streamId) ?? initialState;
    if (version !== before.version + 1) {
      throw new Violation('O4', `${streamId}: version ${version} (${type}) follows ${before.version}`);
    }
    const last = this.lastAt.get(streamId);
    if (last !== undefined && recordedAt < last) {
      throw new Violation('O8', `${streamId}: version ${version} was recorded at ${recordedAt}, before ${last}`);
    }
    this.lastAt.set(streamId, recordedAt);
    if (parseStreamId(streamId)) this.states.set(streamId, evolve(before, domainEvent(event)));
  }
}

/** So long after its intent is on the log a pod's stream has begun, whatever another cluster sends, milliseconds. */
export const HEARD_WITHIN_MS = 5_000;

/** O12: nobody waits behind what another cluster sends: a pod's first intent is accepted or refused at once, mostly. */
export function isHeard(streamId: string, streams: ReadonlyMap<string, unknown>, noisyId: string): void {
  if (!streams.has(streamId))
    throw new Violation('O12', `${streamId} is not heard ${HEARD_WITHIN_MS} ms after it spoke, behind ${noisyId}`);
}

/** O7: nothing that was sealed is anywhere in clear. */
export function noSecret(where: string, text: string | Uint8Array): void {
  const found =
    typeof text === 'string'
      ? text.includes('-tweet')
      : Buffer.from(text.buffer, text.byteOffset, text.byteLength).includes('-tweet');
  if (found) throw new Violation('O7', `a sealed value lies in clear in ${where}`);
}
