/** What the control plane says to one cluster's agent: complete pod statuses, and commands. */
import { z } from 'zod';

const json = z.record(z.string(), z.unknown());

/** Key: the pod's UID. A message without value (tombstone) means: forget the pod. */
export const PodStatusMessage = z.object({
  kind: z.literal('PodStatus'),
  schemaVersion: z.literal(1),
  podUid: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Version of the stream; a lower or equal one is ignored. */
  revision: z.number().int().min(1),
  /** v1.PodStatus as the API server takes it. Absent when the stream has nothing to say about it (only finalize). */
  status: json.optional(),
  /** Annotations that the system writes back on the pod (`k8s.aliyun.com/eci-instance-id` and the like). */
  annotations: z.record(z.string(), z.string()),
  /** The pod object may be removed once it carries a deletionTimestamp. */
  finalize: z.boolean(),
  /** Kubernetes Events on the pod; `id` is stable, so that repeats do not multiply. */
  events: z.array(
    z.object({
      id: z.string(),
      type: z.enum(['Normal', 'Warning']),
      reason: z.string(),
      message: z.string(),
      at: z.string(),
      count: z.number().int().min(1).optional(),
    }),
  ),
});
export type PodStatusMessage = z.infer<typeof PodStatusMessage>;

/** Key: `command/<name>`. `at` orders commands of one name. */
export const ClusterCommand = z.discriminatedUnion('name', [
  z.object({ kind: z.literal('Command'), name: z.literal('Recheck'), at: z.string(), uids: z.array(z.string()) }),
  z.object({ kind: z.literal('Command'), name: z.literal('Refresh'), at: z.string(), uids: z.array(z.string()) }),
  z.object({ kind: z.literal('Command'), name: z.literal('SendInventory'), at: z.string() }),
]);
export type ClusterCommand = z.infer<typeof ClusterCommand>;

export const ClusterMessage = z.union([PodStatusMessage, ClusterCommand]);
export type ClusterMessage = z.infer<typeof ClusterMessage>;

export const commandKey = (name: ClusterCommand['name']): string => `command/${name}`;
