/**
 * Objects of the API server as they travel: plain JSON with times as RFC 3339 text. The classes of @kubernetes/client-node are not used for
 * data, because they drop fields that their release does not know and turn times into Dates, which cannot be written back unchanged.
 */
interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: readonly OwnerReference[];
  finalizers?: readonly string[];
  managedFields?: unknown;
  [key: string]: unknown;
}

interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface KubernetesObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [key: string]: unknown;
}

/** An object as it came from the API server: it has a UID and a version. */
export type Stored<T extends KubernetesObject = KubernetesObject> = T & {
  metadata: ObjectMeta & { uid: string; resourceVersion: string };
};

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string | null;
  lastHeartbeatTime?: string | null;
  lastProbeTime?: string | null;
  [key: string]: unknown;
}

export interface PodObject extends KubernetesObject {
  metadata: ObjectMeta & { namespace: string };
  spec: Record<string, unknown> & { nodeName?: string; serviceAccountName?: string; enableServiceLinks?: boolean };
  status?: Record<string, unknown> & { phase?: string; conditions?: readonly Condition[] };
}

export interface NodeObject extends KubernetesObject {
  spec?: Record<string, unknown> & { taints?: readonly { key: string; value?: string; effect: string }[] };
  status?: Record<string, unknown> & { conditions?: readonly Condition[] };
}

export interface ConfigMapObject extends KubernetesObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

export interface SecretObject extends KubernetesObject {
  type?: string;
  /** Values are base64. */
  data?: Record<string, string>;
}

export interface ServiceObject extends KubernetesObject {
  spec?: {
    clusterIP?: string;
    type?: string;
    ports?: readonly { name?: string; port: number; protocol?: string }[];
    [key: string]: unknown;
  };
}

export interface LeaseObject extends KubernetesObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    renewTime?: string;
    [key: string]: unknown;
  };
}
