import type { Behaviour } from './behaviour.ts';
import type { ConditionType } from './conditions.ts';
import type { GroupDefinition } from './definition.ts';
import type { Size } from './specs.ts';

/** The ten of the lifecycle page that this simulator reaches; spot release, restart and update are not simulated. */
export type Status = 'Scheduling' | 'ScheduleFailed' | 'Pending' | 'Running' | 'Terminating' | 'Succeeded' | 'Failed';

export interface ContainerState {
  readonly state: 'Waiting' | 'Running' | 'Terminated';
  readonly reason?: string;
  readonly message?: string;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
}

export interface ContainerRun {
  readonly behaviour: Behaviour;
  current: ContainerState;
  previous?: ContainerState;
  ready: boolean;
  started: boolean;
  restarts: number;
  /** Restarts since the container last ran for long; decides the wait before the next. */
  crashes: number;
  pulled: boolean;
  failedPulls: number;
}

export interface GroupEvent {
  readonly source: 'EciService' | 'K8sAgent';
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly object?: string;
  readonly first: number;
  last: number;
  count: number;
  /** When it was seen by the clock of the callers. */
  observedAt: number;
}

/** What is remembered of a group for ever, for tests to compare with. */
export interface LedgerGroup {
  readonly containerGroupId: string;
  readonly account: string;
  readonly region: string;
  readonly name: string;
  readonly clientToken: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly createdAt: string;
  zone: string | null;
  vSwitch: string | null;
  ip: string | null;
  spec: string;
  status: Status | 'Gone';
  /** Every change of the status, oldest first; the last is `Gone` when the group is no longer known. */
  readonly history: { readonly status: Status | 'Gone'; readonly at: string; readonly reason?: string }[];
}

/** A container group. Plain JSON but for `definition`, which never changes and is kept apart. */
export interface GroupState {
  readonly id: string;
  readonly uuid: string;
  readonly account: string;
  readonly sequence: number;
  readonly createdAt: number;
  readonly visibleAt: number;
  status: Status;
  size: Size;
  /** Chosen place; shown only when landed. Stock, address and quota are held while `holds`. */
  vSwitch?: string;
  zone?: string;
  ip?: string;
  landed: boolean;
  holds: boolean;
  /** Why the instance is, or is not yet, there: the ContainerInstanceCreated condition. */
  creation: { readonly reason: string; readonly message: string };
  /** When each condition turned last; one that never did is not met since the creation. */
  transitions: Partial<Record<ConditionType, { readonly met: boolean; readonly at: number }>>;
  pendingAt?: number;
  runningAt?: number;
  finishedAt?: number;
  failure?: { readonly reason: string; readonly message: string };
  containers: ContainerRun[];
  initContainers: ContainerRun[];
  events: GroupEvent[];
  /** Due times by name; what the queue holds beyond these is stale. */
  timers: Record<string, number>;
  /** Clock of the callers at the last visible change. */
  observedAt: number;
  gone: boolean;
  ledger: LedgerGroup;
}

export interface Group extends GroupState {
  readonly definition: GroupDefinition;
}

export function isFinal(status: Status): boolean {
  return status === 'Succeeded' || status === 'Failed' || status === 'ScheduleFailed';
}

export function newRun(behaviour: Behaviour): ContainerRun {
  return {
    behaviour,
    current: { state: 'Waiting', reason: 'ContainerCreating' },
    ready: false,
    started: false,
    restarts: 0,
    crashes: 0,
    pulled: false,
    failedPulls: 0,
  };
}

let lastSecond = Number.NaN;
let lastText = '';

/** `2018-08-02T15:00:00Z`, the form of every time in ECI's answers. An answer holds hundreds of them, and most are of the same second. */
export function wireTime(at: number): string {
  const second = Math.floor(at / 1_000);
  if (second !== lastSecond) {
    lastText = `${new Date(at).toISOString().slice(0, 19)}Z`;
    lastSecond = second;
  }
  return lastText;
}
