/** The part of v1.PodStatus that we write. Hand-written, so that pure code needs no client of the API server. */
export interface PodStatus {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
  reason?: string;
  message?: string;
  startTime: string;
  conditions: PodConditionStatus[];
  containerStatuses: V1ContainerStatus[];
  initContainerStatuses?: V1ContainerStatus[];
  hostIP?: string;
  hostIPs?: { ip: string }[];
  podIP?: string;
  podIPs?: { ip: string }[];
  qosClass?: 'Guaranteed' | 'Burstable' | 'BestEffort';
}

export interface PodConditionStatus {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  lastTransitionTime: string;
  reason?: string;
  message?: string;
}

export interface V1ContainerState {
  waiting?: { reason: string; message?: string };
  running?: { startedAt?: string };
  terminated?: {
    exitCode: number;
    reason: string;
    signal?: number;
    message?: string;
    startedAt?: string;
    finishedAt?: string;
    containerID?: string;
  };
}

export interface V1ContainerStatus {
  name: string;
  image: string;
  imageID: string;
  ready: boolean;
  started: boolean;
  restartCount: number;
  containerID?: string;
  state: V1ContainerState;
  lastState: V1ContainerState;
}
