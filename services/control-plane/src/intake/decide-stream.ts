import type { ContainerGroupEvent, ContainerGroupState } from '#libs/domain';
import type { StreamAppend } from '#libs/event-store';
import { INTENT, type StreamKey, type StreamVault, type WrappedKey } from '../keys/stream-vault.ts';
import { changesNothing, decideAll, planAppend } from '../streams/plan-append.ts';
import { containerGroups } from '../streams/stream-commands.ts';
import { dueSinceCreation } from './pods-age.ts';
import type { ReadMessage } from './read-message.ts';
import {
  mayBeRefreshed,
  mayMatter,
  podInForce,
  runPodCommand,
  unrefreshingRunPod,
  type RunPodMessage,
  type SealedIntent,
} from './run-pod.ts';
import { stopPodCommand } from './stop-pod.ts';

export type PodMessage = Extract<ReadMessage, { kind: 'RunPod' | 'StopPod' }>;

interface StreamDecision {
  /** Undefined: nothing to write. */
  readonly append: StreamAppend | undefined;
  /** Messages that cannot be applied, whatever is tried; `reason` holds no secret. */
  readonly failed: readonly { readonly message: PodMessage; readonly error: unknown }[];
}

/**
 * Applies the messages of one stream in their order. One that makes the code throw is left out and named, and the others of the stream are
 * decided as if it had not come.
 */
export function decideStream(input: {
  readonly streamId: string;
  readonly before: ContainerGroupState;
  /** The stream's data key, when it has one. */
  readonly wrapped: WrappedKey | undefined;
  readonly messages: readonly PodMessage[];
  /** The mass-delete guard holds stops of this stream that it counts. */
  readonly hold?: string | undefined;
  readonly at: string;
  /** For people and audits: where the message came from, such as `kafka:<topic>/<partition>@<offset>`. */
  readonly causeOf: (message: PodMessage) => string;
  readonly vault: StreamVault;
  readonly newId: () => string;
}): StreamDecision {
  const { streamId, before, messages, hold, at, causeOf, vault, newId } = input;
  const failed: { message: PodMessage; error: unknown }[] = [];
  const events: ContainerGroupEvent[] = [];
  let state = before;
  let key: StreamKey | undefined;
  let sealed: Uint8Array | undefined;
  let cause: PodMessage | undefined;
  const theKey = (): StreamKey =>
    (key ??= input.wrapped ? vault.unlock(streamId, input.wrapped) : vault.create(streamId));

  for (const message of messages) {
    try {
      const command = commandOf(message, state, theKey, hold);
      if (!command) continue;
      const decided = decideAll(containerGroups.decider, [command], state, at);
      if (decided.events.length === 0) continue;
      if (message.kind === 'RunPod' && decided.events.some(({ type }) => replacesIntent(type))) {
        const pod = podInForce(runOf(message), state);
        const intent: SealedIntent = { pod, resolved: message.body.resolved, sealed: message.sealed };
        sealed = theKey().seal(intent, INTENT);
      }
      state = decided.after;
      events.push(...decided.events);
      cause = message;
    } catch (error) {
      failed.push({ message, error });
    }
  }
  if (!cause) return { append: undefined, failed };
  const append = planAppend({
    kind: containerGroups,
    streamId,
    before,
    events,
    after: state,
    cause: { actor: `agent:${cause.clusterId}`, causationId: causeOf(cause) },
    beside: sealed ? { sealed: { put: { ...theKey().wrapped, sealed } } } : {},
    newId,
  });
  if (changesNothing(append)) return { append: undefined, failed };
  const createdAt = cause.kind === 'RunPod' ? cause.body.pod.metadata['creationTimestamp'] : undefined;
  return { append: dueSinceCreation(append, createdAt, at), failed };
}

const replacesIntent = (type: ContainerGroupEvent['type']): boolean =>
  type === 'PodIntentAccepted' || type === 'PodIntentRefreshed';

function commandOf(message: PodMessage, state: ContainerGroupState, key: () => StreamKey, hold: string | undefined) {
  const { agentEpoch, sequence } = message.clear;
  if (message.kind === 'StopPod') {
    const { clusterId, body } = message;
    return stopPodCommand({ clusterId, agentEpoch, sequence, body }, hold);
  }
  const run = runOf(message);
  if (!mayMatter(run, state)) return undefined;
  return mayBeRefreshed(state) || !state.intent
    ? runPodCommand(run, podInForce(run, state), key())
    : unrefreshingRunPod(run, state);
}

function runOf({
  clusterId,
  accountId,
  clear,
  body,
  sealed,
  storable,
}: Extract<PodMessage, { kind: 'RunPod' }>): RunPodMessage {
  const { agentEpoch, sequence } = clear;
  return { clusterId, accountId, agentEpoch, sequence, body, sealed, storable };
}
