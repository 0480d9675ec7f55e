/** What agents say to the control plane over Kafka: sealed envelopes around three kinds of body. Docs: `docs/developers/messages.md`. */
import { z } from 'zod';
import { identifier, podUid, said } from './text.ts';

const uid = podUid;
const name = identifier(253);
/** A resource version, an inventory's id: short, opaque. */
const token = identifier(128);
/** Any text: what cannot be used refuses the pod by its path, and not the message in which it stands. */
const setting = z.string();
/** Whole numbers that only grow; zod's `int` keeps them where adding one still changes them. */
const counter = z.number().int();
const isoTime = z.iso.datetime({ offset: true });
/** Any object. Not a `z.record`, which takes each key and value into its hands and makes a copy: a pod has many. */
const json = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'expected an object' },
);

/** The effective settings of the virtual node for one pod: the eci-profile, or the agent's environment. Part of every RunPod, in clear. */
export const Profile = z.object({
  region: setting,
  vpcId: setting.optional(),
  vSwitchIds: z.array(setting).max(100),
  securityGroupId: setting.optional(),
  resourceGroupId: setting.optional(),
  enableClusterIp: z.boolean().default(true),
});
export type Profile = z.infer<typeof Profile>;

const Dns = z.object({ clusterDomain: setting, nameServers: z.array(setting).max(100) });

export const RunPod = z.object({
  kind: z.literal('RunPod'),
  pod: z.object({
    uid,
    namespace: name,
    name,
    resourceVersion: token,
    phase: z.enum(['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown']),
    /**
     * metadata without managedFields and last-applied-configuration; foreign annotation values are null here and sealed. In schema version 2 only
     * what is readable for ever (`READABLE_POD`); all of it is in the sealed part.
     */
    metadata: json,
    /** spec in which every env `value` is replaced by the empty string; the values are sealed. In schema version 2 as `metadata`. */
    spec: json,
  }),
  resolved: z.object({
    profileRevision: token,
    profile: Profile,
    dns: Dns.optional(),
    /** `<SVC>_SERVICE_HOST` and the like, in clear. */
    serviceEnv: z.record(z.string(), z.string()),
    /** Life of each token in the sealed part; `path` = `<volume>/<file>`. */
    tokens: z.array(z.object({ path: setting, issuedAt: isoTime, expiresAt: isoTime })).max(1000),
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
  /** Schema version 2: the pod as the clear part holds it in version 1. */
  pod: z.object({ metadata: json, spec: json }).optional(),
});
export type SealedRunPod = z.infer<typeof SealedRunPod>;

export const StopPod = z.object({
  kind: z.literal('StopPod'),
  uid,
  namespace: name,
  name,
  deletionTimestamp: isoTime.optional(),
  graceSeconds: counter.min(0).optional(),
  reason: z.enum(['Deleted', 'ObjectGone', 'Absent']),
  disruption: said(1024).optional(),
});
export type StopPod = z.infer<typeof StopPod>;

/** Parts of one inventory; at 900 KiB each they hold more than a million pods. */
export const MAX_INVENTORY_CHUNKS = 200;

/** UIDs that one inventory names as left over; further ones come with the next. */
export const MAX_LEFTOVERS = 1_000;

export const Inventory = z
  .object({
    kind: z.literal('Inventory'),
    inventoryId: token,
    chunk: counter.min(0).max(MAX_INVENTORY_CHUNKS - 1),
    chunks: counter.min(1).max(MAX_INVENTORY_CHUNKS),
    pods: z.array(
      z.object({
        uid,
        resourceVersion: token,
        phase: said(64),
        /** Highest PodStatus revision written to the API server. */
        revision: counter.min(0).optional(),
        deletionTimestamp: isoTime.optional(),
        /** Not sent yet, and why: for example a ConfigMap that does not exist. */
        waitingFor: said(4096).optional(),
      }),
    ),
    /** Pods that are not here, and of which the cluster's topic holds a status all the same: some of them, in the first chunk. */
    leftovers: z.array(uid).max(MAX_LEFTOVERS).optional(),
  })
  .refine(({ chunk, chunks }) => chunk < chunks, { path: ['chunk'], error: 'must be below chunks' });
export type Inventory = z.infer<typeof Inventory>;

export const IntentBody = z.discriminatedUnion('kind', [RunPod, StopPod, Inventory]);
export type IntentBody = z.infer<typeof IntentBody>;

export const ClearPart = z.object({
  /** 2: a RunPod whose pod is sealed. Those who cannot open it refuse it, and never run half of a pod. */
  schemaVersion: z.union([z.literal(1), z.literal(2)]),
  clusterId: identifier(63),
  agentEpoch: counter.min(1),
  sequence: counter.min(1),
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
  jwe: z.object({
    protected: z.string().max(1024),
    iv: z.string().max(64),
    ciphertext: z.string(),
    tag: z.string().max(64),
  }),
});
export type Envelope = z.infer<typeof Envelope>;

/** Largest envelope that may be sent, bytes. */
export const MAX_ENVELOPE_BYTES = 900 * 1024;

export const intentKey = (clusterId: string, podUid: string): string => `${clusterId}/${podUid}`;
export const inventoryKey = (clusterId: string): string => `${clusterId}/inventory`;
