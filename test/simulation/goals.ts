import type { EventType } from '#libs/domain';
import { FAULTS } from './faults/registry.ts';

/**
 * Events that a run can bring about. Not among them: spot reclaim (`SpotReleaseAnnounced`, `ContainerGroupExpired`), which the simulator's core does
 * not play, and what only an operator or the mass-delete guard causes.
 */
const EVENTS: readonly EventType[] = [
  'PodIntentAccepted',
  'PodIntentRefreshed',
  'PodChangeRefused',
  'PodRejected',
  'PlacementChosen',
  'ContainerGroupCreated',
  'CreateRefused',
  'CreateOutcomeUnknown',
  'Adopted',
  'ContainerGroupLanded',
  'SchedulingFailed',
  'Parked',
  'Unparked',
  'ContainersChanged',
  'ContainerGroupSucceeded',
  'ContainerGroupFailed',
  'StopRequested',
  'DeleteAccepted',
  'ContainerGroupGone',
  'OrphanFound',
  'PodObjectGone',
];

const REFUSALS = ['STOCK_OUT', 'VSWITCH_IP_EXHAUSTED', 'QUOTA', 'AUTH', 'NOT_FOUND', 'INVALID_REQUEST'];

/** What must be met in at least one of a hundred runs, or the runs prove less than they seem to. */
const GOALS: readonly string[] = [
  ...[...FAULTS.keys()].map((name) => `fault ${name}`),
  ...EVENTS.map((type) => `event ${type}`),
  ...REFUSALS.map((name) => `refusal ${name}`),
  'answer Throttling.User',
  'heard beside noise',
];

/** In how many runs each goal was met. */
export class Reached {
  readonly counts = new Map<string, number>(GOALS.map((goal) => [goal, 0]));
  runs = 0;

  add(met: readonly string[]): void {
    this.runs += 1;
    for (const name of met) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** Goals that too few runs met. */
  missed(): readonly string[] {
    return GOALS.filter((goal) => (this.counts.get(goal) ?? 0) * 100 < this.runs);
  }
}
