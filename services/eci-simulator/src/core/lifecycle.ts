import { type ContainerLife, ContainersLife } from './containers-life.ts';
import { noteTransitions } from './conditions.ts';
import { type Group, type GroupEvent, isFinal, type Status } from './group.ts';
import type { Latencies, Range } from './settings.ts';

/** What the life of a group needs from the cloud around it. */
export interface Surroundings {
  latencies(): Latencies;
  /** A drawn latency, simulated milliseconds, with the factor. */
  draw(range: Range): number;
  /** Takes stock, an address and quota for the group; or says why not. */
  occupy(group: Group): { readonly reason: string; readonly message: string } | undefined;
  vacate(group: Group): void;
  setTimer(group: Group, name: string, at: number): void;
  /** Something that callers can see has changed. */
  changed(group: Group): void;
  becameFinal(group: Group, now: number): void;
  forget(group: Group, now: number): void;
  observedAt(): number;
}

const EVENTS_KEPT = 50;

/** Moves one group through its life. Every step is a timer that falls due or a call; nothing here looks at other groups. */
export class Lifecycle implements ContainerLife {
  private readonly around: Surroundings;
  private readonly containers: ContainersLife;

  constructor(around: Surroundings) {
    this.around = around;
    this.containers = new ContainersLife(this);
  }

  begin(group: Group, now: number): void {
    this.setTimer(group, 'land', now + this.around.draw(this.latencies().schedulingMs));
  }

  fire(group: Group, timer: string, now: number): void {
    this.pass(group, timer, now);
    noteTransitions(group, now);
  }

  private pass(group: Group, timer: string, now: number): void {
    switch (timer) {
      case 'land':
        return this.land(group, now);
      case 'pulled':
        return this.containers.imagesArrive(group, now);
      case 'pending-limit':
        return this.fail(
          group,
          now,
          'PendingTimeout',
          'The container group stayed Pending for too long and was ended by the system.',
        );
      case 'deadline':
        return this.fail(
          group,
          now,
          'DeadlineExceeded',
          'The container group was active for longer than ActiveDeadlineSeconds.',
        );
      case 'gone':
        return this.forget(group, now);
      default:
        return this.containers.fire(group, timer, now);
    }
  }

  /** Begins the end of a group. Does nothing when the end has begun. */
  delete(group: Group, now: number, force: boolean): void {
    if (group.status === 'Terminating' && !force) return;
    if (force || group.status === 'Scheduling' || isFinal(group.status)) return this.forget(group, now);
    const stopped = this.containers.stopAll(group, now);
    this.become(group, 'Terminating', now);
    this.setTimer(group, 'gone', Math.max(stopped, now + this.around.draw(this.latencies().terminatingMs)));
  }

  setTimer(group: Group, name: string, at: number): void {
    group.timers[name] = at;
    this.around.setTimer(group, name, at);
  }

  latencies(): Latencies {
    return this.around.latencies();
  }

  changed(group: Group): void {
    this.around.changed(group);
  }

  event(
    group: Group,
    now: number,
    source: GroupEvent['source'],
    type: GroupEvent['type'],
    reason: string,
    message: string,
    object?: string,
  ): void {
    const known = group.events.find(
      (each) => each.reason === reason && each.message === message && each.object === object,
    );
    const observedAt = this.around.observedAt();
    if (known) {
      known.count += 1;
      known.last = now;
      known.observedAt = observedAt;
    } else {
      group.events.push({
        source,
        type,
        reason,
        message,
        ...(object ? { object } : {}),
        first: now,
        last: now,
        count: 1,
        observedAt,
      });
      if (group.events.length > EVENTS_KEPT) group.events.shift();
    }
    this.around.changed(group);
  }

  allStarted(group: Group, now: number): void {
    if (group.status !== 'Pending') return;
    delete group.timers['pending-limit'];
    group.runningAt = now;
    this.become(group, 'Running', now);
  }

  /** No container will run again. `failed` says what decides the outcome. */
  ended(group: Group, now: number, failed: { readonly reason: string; readonly message: string } | undefined): void {
    if (isFinal(group.status) || group.status === 'Terminating') return;
    if (failed) this.finish(group, now, 'Failed', failed);
    else this.finish(group, now, 'Succeeded');
  }

  private land(group: Group, now: number): void {
    const refusal = group.holds ? undefined : this.around.occupy(group);
    if (refusal) {
      group.creation = refusal;
      group.failure = refusal;
      this.event(group, now, 'EciService', 'Warning', refusal.reason, refusal.message);
      return this.finish(group, now, 'ScheduleFailed');
    }
    group.landed = true;
    group.pendingAt = now;
    group.creation = { reason: 'Created', message: '' };
    this.become(group, 'Pending', now);
    const { pullingMs, pullingCachedMs } = this.latencies();
    for (const volume of group.definition.volumes)
      this.event(
        group,
        now,
        'K8sAgent',
        'Normal',
        'SuccessfulMountVolume',
        `MountVolume.SetUp succeeded for volume "${String(volume['Name'])}"`,
      );
    for (const { name, image } of [...group.definition.initContainers, ...group.definition.containers])
      this.event(group, now, 'K8sAgent', 'Normal', 'Pulling', `Pulling image "${image}"`, name);
    this.setTimer(group, 'pulled', now + this.around.draw(group.definition.imageCache ? pullingCachedMs : pullingMs));
    this.setTimer(group, 'pending-limit', now + group.definition.maxPendingMinutes * 60_000);
    if (group.definition.activeDeadlineSeconds !== undefined)
      this.setTimer(group, 'deadline', now + group.definition.activeDeadlineSeconds * 1_000);
  }

  private fail(group: Group, now: number, reason: string, message: string): void {
    if (isFinal(group.status) || group.status === 'Terminating') return;
    this.containers.killAll(group, now);
    this.event(group, now, 'EciService', 'Warning', reason, message);
    this.finish(group, now, 'Failed', { reason, message });
  }

  private finish(
    group: Group,
    now: number,
    status: Status,
    failure?: { readonly reason: string; readonly message: string },
  ): void {
    group.timers = {};
    group.finishedAt = now;
    if (failure) group.failure = failure;
    this.around.vacate(group);
    this.become(group, status, now, group.failure?.reason);
    this.around.becameFinal(group, now);
  }

  private forget(group: Group, now: number): void {
    group.timers = {};
    this.around.vacate(group);
    this.around.forget(group, now);
  }

  private become(group: Group, status: Status, now: number, reason?: string): void {
    group.status = status;
    group.ledger.status = status;
    if (group.landed) {
      group.ledger.zone = group.zone ?? null;
      group.ledger.vSwitch = group.vSwitch ?? null;
      group.ledger.ip = group.ip ?? null;
    }
    (group.ledger.history as { status: Status; at: string; reason?: string }[]).push({
      status,
      at: new Date(now).toISOString(),
      ...(reason ? { reason } : {}),
    });
    this.around.changed(group);
  }
}
