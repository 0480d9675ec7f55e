/** What agents say to the control plane over Kafka: sealed envelopes around three kinds of body. Docs: `docs/developers/messages.md`. */
import { z } from 'zod';

const uid = z.string().min(1).max(64);
const name = z.string().min(1).max(253);
const isoTime = z.iso.datetime({ offset: true });
const json = z.record(z.string(), z.unknown());

/** The effective settings of the virtual node for one pod: the eci-profile, or the agent's environment. Part of every RunPod, in clear. */
export const Profile = z.object({
  region: z.string(),
  vpcId: z.string().optional(),
  vSwitchIds: z.array(z.string()),
  securityGroupId: z.string().optional(),
  resourceGroupId: z.string().optional(),
  enableClusterIp: z.boolean().default(true),
});
export type Profile = z.infer<typeof Profile>;

export const Dns = z.object({ clusterDomain: z.string(), nameServers: z.array(z.string()) });

export const RunPod = z.object({
  kind: z.literal('RunPod'),
  pod: z.object({
    uid,
    namespace: name,
    name,
    resourceVersion: z.string(),
    phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']),
    /** metadata without managedFields and last-applied-configuration; foreign annotation values are null here and sealed. */
    metadata: json,
    /** spec in which every env `value` is replaced by the empty string; the values are sealed. */
    spec: json,
  }),
  resolved: z.object({
    profileRevision: z.string(),
    profile: Profile,
    dns: Dns.optional(),
    /** `<SVC>_SERVICE_HOST` and the like, in clear. */
    serviceEnv: z.record(z.string(), z.string()),
    /** Life of each token in the sealed part; `path` = `<volume>/<file>`. */
    tokens: z.array(z.object({ path: z.string(), issuedAt: isoTime, expiresAt: isoTime })),
  }),
});
export type RunPod = z.infer<typeof RunPod>;

/** The secret half of a RunPod. It is never stored in clear. */
export const SealedRunPod = z.object({
  /** `<containers|initContainers>/<container name>/<index in env>` → value. */
  env: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  configMaps: z.record(
    z.string(),
    z.object({ data: z.record(z.string(), z.string()), binaryData: z.record(z.string(), z.string()) }),
  ),
  /** Secret values are base64, as the API server gives them. */
  secrets: z.record(z.string(), z.object({ type: z.string(), data: z.record(z.string(), z.string()) })),
  /** `<volume>/<file>` → token. */
  tokens: z.record(z.string(), z.string()),
  /** ConfigMap `kube-root-ca.crt` and the like come with configMaps. Names of Secrets for pulling images, in order. */
  pullSecrets: z.array(z.string()),
});
export type SealedRunPod = z.infer<typeof SealedRunPod>;

export const StopPod = z.object({
  kind: z.literal('StopPod'),
  uid,
  namespace: name,
  name,
  deletionTimestamp: isoTime.optional(),
  graceSeconds: z.number().int().min(0).optional(),
  reason: z.enum(['Deleted', 'ObjectGone', 'Absent']),
  disruption: z.string().optional(),
});
export type StopPod = z.infer<typeof StopPod>;

export const Inventory = z.object({
  kind: z.literal('Inventory'),
  inventoryId: z.string(),
  chunk: z.number().int().min(0),
  chunks: z.number().int().min(1),
  pods: z.array(
    z.object({
      uid,
      resourceVersion: z.string(),
      phase: z.string(),
      /** Highest PodStatus revision written to the API server. */
      revision: z.number().int().min(0).optional(),
      deletionTimestamp: isoTime.optional(),
      /** Not sent yet, and why: for example a ConfigMap that does not exist. */
      waitingFor: z.string().optional(),
    }),
  ),
});
export type Inventory = z.infer<typeof Inventory>;

export const IntentBody = z.discriminatedUnion('kind', [RunPod, StopPod, Inventory]);
export type IntentBody = z.infer<typeof IntentBody>;

export const ClearPart = z.object({
  schemaVersion: z.literal(1),
  clusterId: z.string().min(1).max(63),
  agentEpoch: z.number().int().min(1),
  sequence: z.number().int().min(1),
  sentAt: isoTime,
  body: IntentBody,
});
export type ClearPart = z.infer<typeof ClearPart>;

/**
 * The message value: JSON of `{clear, jwe}`. `clear` is the exact UTF-8 text of the clear part (a string, so that its bytes are beyond
 * doubt); `jwe` is a flattened JWE, `dir` + `A256GCM` with header `kid`, whose additional authenticated data is the Kafka key, a line feed and
 * `clear` (it is not sent twice: see `sealEnvelope` in `libs/messaging`). StopPod and Inventory seal an empty object.
 */
export const Envelope = z.object({
  clear: z.string(),
  jwe: z.object({ protected: z.string(), iv: z.string(), ciphertext: z.string(), tag: z.string() }),
});
export type Envelope = z.infer<typeof Envelope>;

/** Largest envelope that may be sent, bytes. */
export const MAX_ENVELOPE_BYTES = 900 * 1024;

export const intentKey = (clusterId: string, podUid: string): string => `${clusterId}/${podUid}`;
export const inventoryKey = (clusterId: string): string => `${clusterId}/inventory`;
