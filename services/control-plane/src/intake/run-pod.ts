import { cleanJson, type RunPod, type SealedRunPod } from '#libs/contracts';
import {
  attemptInDoubt,
  canonical,
  type ContainerGroupCommand,
  type ContainerGroupState,
  type JsonObject,
} from '#libs/domain';
import { immutableSpecOf, mapPod, podFactsOf } from '#libs/kubernetes';
import type { StreamKey } from '../keys/stream-vault.ts';

/** What rests sealed beside a stream: all that is needed to build its request again. */
export interface SealedIntent {
  readonly pod: RunPod['pod'];
  readonly resolved: RunPod['resolved'];
  readonly sealed: SealedRunPod;
}

export interface RunPodMessage {
  readonly clusterId: string;
  readonly accountId: string;
  readonly agentEpoch: number;
  readonly sequence: number;
  readonly body: RunPod;
  readonly sealed: SealedRunPod;
  /** Its reader knows already that every text in it can be kept. */
  readonly storable: boolean;
}

type RunPodCommand = Extract<ContainerGroupCommand, { type: 'RunPod' }>;

/** Whether this RunPod can say anything new to its stream; most of those that are sent again cannot, and cost nothing further. */
export function mayMatter(message: RunPodMessage, state: ContainerGroupState): boolean {
  const { intent } = state;
  if (state.stop || state.end) return false;
  if (!intent) return true;
  const { agentEpoch, sequence } = message;
  return agentEpoch > intent.agentEpoch || (agentEpoch === intent.agentEpoch && sequence > intent.sequence);
}

/** What the agent resolved can be replaced now: no attempt holds on to what it was frozen with. */
export function mayBeRefreshed(state: ContainerGroupState): boolean {
  return !attemptInDoubt(state) && !state.group?.open;
}

/**
 * The pod that a stream goes by: as it was first accepted when this message changes what is fixed then, such as an image; else as it is now. What
 * the agent resolved for it may be renewed either way.
 */
export function podInForce({ body }: RunPodMessage, { intent }: ContainerGroupState): RunPod['pod'] {
  if (!intent) return body.pod;
  const now = immutableSpecOf(body.pod);
  const fields = Object.keys({ ...intent.spec, ...now });
  if (fields.every((field) => intent.spec[field] === now[field])) return body.pod;
  const { resolved: _, ...accepted } = intent.clearPod;
  return accepted as unknown as RunPod['pod'];
}

/** The command for a first or refreshed intent of a stream that goes by this pod. */
export function runPodCommand(message: RunPodMessage, pod: RunPod['pod'], key: StreamKey): RunPodCommand {
  const { accountId, body, sealed, storable } = message;
  const mapped = mapPod({ accountId, pod, resolved: body.resolved, sealed, storable: storable && pod === body.pod });
  return {
    ...facts(message),
    digests: digestsOf(body, sealed, key),
    mapped: mapped.ok
      ? { ok: true, need: mapped.need, ignored: mapped.ignored }
      : { ok: false, field: mapped.field, reason: mapped.reason },
  };
}

/** The command for a stream that takes no refresh now: it can only show that the pod was changed, so nothing is mapped or digested. */
export function unrefreshingRunPod(message: RunPodMessage, state: ContainerGroupState): RunPodCommand | undefined {
  const { intent } = state;
  if (!intent) return undefined;
  return { ...facts(message), digests: intent.digests, mapped: { ok: true, need: intent.need } };
}

function facts(message: RunPodMessage): Omit<RunPodCommand, 'digests' | 'mapped'> {
  const { clusterId, agentEpoch, sequence, body, storable } = message;
  // A pod that is refused for a text that cannot be kept is kept all the same, without that text.
  const { pod, resolved } = storable ? body : cleanJson(body);
  return {
    type: 'RunPod',
    clusterId,
    pod: podFactsOf(pod),
    podPhase: pod.phase,
    clearPod: { ...pod, resolved } as unknown as JsonObject,
    agentEpoch,
    sequence,
    profileRevision: resolved.profileRevision,
    spec: immutableSpecOf(pod),
    tokens: resolved.tokens,
  };
}

/**
 * Keyed digests by which a real difference is told from a repeat: of each sealed value or object, and of what the agent resolved in clear.
 */
function digestsOf({ resolved }: RunPod, sealed: SealedRunPod, key: StreamKey): Record<string, string> {
  const digests: Record<string, string> = {};
  const add = (name: string, value: unknown): void => {
    digests[name] = key.digest(name, canonical(value));
  };
  for (const [path, value] of Object.entries(sealed.env)) add(`env/${path}`, value);
  for (const [name, value] of Object.entries(sealed.annotations)) add(`annotations/${name}`, value);
  for (const [name, value] of Object.entries(sealed.configMaps)) add(`configMaps/${name}`, value);
  for (const [name, value] of Object.entries(sealed.secrets)) add(`secrets/${name}`, value);
  for (const [path, value] of Object.entries(sealed.tokens)) add(`tokens/${path}`, value);
  add('pullSecrets', sealed.pullSecrets);
  add('resolved', { dns: resolved.dns, profile: resolved.profile, serviceEnv: resolved.serviceEnv });
  return digests;
}
