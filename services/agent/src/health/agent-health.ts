import type { AsideItem } from '#libs/observability';
import type { InsecureTransport } from '#libs/transport';
import type { SessionState } from '../session/session.ts';

export interface HealthReport {
  /** `superseded` = a newer agent does the work: this process is idle on purpose, and restarting it would start a fight. */
  readonly status: 'ok' | 'degraded' | 'superseded';
  readonly version: string;
  readonly node: string;
  readonly session: { readonly state: SessionState; readonly detail: string; readonly since: string };
  readonly messaging: 'connected' | 'away' | 'not connected yet';
  /** Why it is away, when something is known of it. */
  readonly messagingTrouble?: string | undefined;
  readonly publishing: string;
  readonly leaseAgeSeconds: number;
  readonly pods: number;
  readonly intentsQueued: number;
  readonly podsWaiting: number;
  readonly statusBacklog: number;
  /** Only of a topic that is read to its end the newest status of a pod is known. */
  readonly statuses: 'written' | 'wait for the end of the topic';
  /** Whether statuses and commands count only with the control plane's MAC; it says from when on. */
  readonly believes: 'the control plane alone' | 'what anybody writes to its topic';
  /** What fails while the rest goes on; at most 50. */
  readonly setAside: readonly AsideItem[];
  /** What leaves this machine in a way that somebody had to allow. */
  readonly insecureTransports: readonly InsecureTransport[];
  readonly webhook: 'off' | 'registered' | 'not registered yet';
}

/** What the HTTP side of the agent can ask of it. */
export abstract class AgentHealth {
  abstract report(): HealthReport;
  abstract metricsText(): Promise<string>;
  abstract readonly metricsContentType: string;
}
