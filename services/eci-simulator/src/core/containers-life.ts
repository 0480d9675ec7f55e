import type { Behaviour, Run } from './behaviour.ts';
import type { ContainerDefinition } from './definition.ts';
import type { ContainerRun, Group, GroupEvent } from './group.ts';
import { durationOf } from './program.ts';
import type { Latencies } from './settings.ts';

/** What containers tell their group. */
export interface ContainerLife {
  latencies(): Latencies;
  setTimer(group: Group, name: string, at: number): void;
  changed(group: Group): void;
  event(
    group: Group,
    now: number,
    source: GroupEvent['source'],
    type: GroupEvent['type'],
    reason: string,
    message: string,
    object?: string,
  ): void;
  allStarted(group: Group, now: number): void;
  ended(group: Group, now: number, failed: { readonly reason: string; readonly message: string } | undefined): void;
}

interface Slot {
  /** `m0` = first main container, `i1` = second init container. */
  readonly key: string;
  readonly init: boolean;
  readonly index: number;
  readonly run: ContainerRun;
  readonly definition: ContainerDefinition;
}

/** A container that ran for so long starts anew with short restart delays, as with the kubelet. */
const HEALTHY_MS = 600_000;
const FOREVER: Run = { runMs: null, exitCode: 0 };

/** The containers inside one group: images, init containers in order, restarts, readiness, stops. */
export class ContainersLife {
  private readonly life: ContainerLife;

  constructor(life: ContainerLife) {
    this.life = life;
  }

  imagesArrive(group: Group, now: number): void {
    const slots = [...inits(group), ...mains(group)];
    for (const slot of slots) this.pull(group, slot, now);
    if (group.initContainers.length > 0) {
      for (const { run } of mains(group)) if (run.pulled) run.current = { state: 'Waiting', reason: 'PodInitializing' };
    }
    this.proceed(group, now);
  }

  fire(group: Group, timer: string, now: number): void {
    const [key, what] = timer.split(':');
    const slot = [...inits(group), ...mains(group)].find((each) => each.key === key);
    if (!slot) return;
    switch (what) {
      case 'pull':
        this.pull(group, slot, now);
        return this.proceed(group, now);
      case 'end':
        return this.end(group, slot, now);
      case 'restart':
        return this.start(group, slot, now);
      case 'ready':
        slot.run.ready = true;
        return this.life.changed(group);
      case 'stop':
        return this.stop(group, slot, now);
      default:
        throw new Error(`A container has no timer ${timer}.`);
    }
  }

  /** SIGTERM to all that runs, after preStop; returns when the last is gone. */
  stopAll(group: Group, now: number): number {
    for (const name of Object.keys(group.timers)) if (!name.endsWith(':end')) delete group.timers[name];
    let last = now;
    for (const { key, run, definition } of [...inits(group), ...mains(group)]) {
      if (run.current.state !== 'Running') continue;
      const preStop = durationOf(definition.preStop) ?? Infinity;
      const stopping = run.behaviour.stopMs ?? this.life.latencies().stopMs;
      const at = now + Math.min(preStop + stopping, group.definition.graceSeconds * 1_000);
      this.life.event(
        group,
        now,
        'K8sAgent',
        'Normal',
        'Killing',
        `Stopping container ${definition.name}`,
        definition.name,
      );
      this.life.setTimer(group, `${key}:stop`, at);
      last = Math.max(last, at);
    }
    return last;
  }

  killAll(group: Group, now: number): void {
    for (const { run } of [...inits(group), ...mains(group)]) {
      if (run.current.state === 'Running') this.terminate(run, now, 137, 'Error', 9);
    }
  }

  private pull(group: Group, { key, run, definition }: Slot, now: number): void {
    const { failedPulls } = run.behaviour;
    if (failedPulls === null || run.failedPulls < failedPulls) {
      run.failedPulls += 1;
      const message = `Failed to pull image "${definition.image}"`;
      const backingOff = run.failedPulls > 1;
      run.current = backingOff
        ? { state: 'Waiting', reason: 'ImagePullBackOff', message: `Back-off pulling image "${definition.image}"` }
        : { state: 'Waiting', reason: 'ErrImagePull', message };
      this.life.event(group, now, 'K8sAgent', 'Warning', 'Failed', message, definition.name);
      if (backingOff)
        this.life.event(
          group,
          now,
          'K8sAgent',
          'Normal',
          'BackOff',
          `Back-off pulling image "${definition.image}"`,
          definition.name,
        );
      const { baseMs, capMs } = this.life.latencies().restart;
      this.life.setTimer(
        group,
        `${key}:pull`,
        now + Math.max(100, Math.min(capMs, baseMs * 2 ** (run.failedPulls - 1))),
      );
      return;
    }
    run.pulled = true;
    this.life.event(
      group,
      now,
      'K8sAgent',
      'Normal',
      'Pulled',
      `Successfully pulled image "${definition.image}"`,
      definition.name,
    );
  }

  /** Starts what may start now: the next init container, or, when all are done, every main container that has its image. */
  private proceed(group: Group, now: number): void {
    for (const slot of inits(group)) {
      const { current, pulled } = slot.run;
      if (current.state === 'Terminated' && current.exitCode === 0) continue;
      if (current.state === 'Waiting' && pulled && !slot.run.started && current.reason !== 'CrashLoopBackOff')
        this.start(group, slot, now);
      return;
    }
    for (const slot of mains(group)) {
      if (slot.run.pulled && !slot.run.started && slot.run.current.state === 'Waiting') this.start(group, slot, now);
    }
    if (group.containers.every((run) => run.started)) this.life.allStarted(group, now);
  }

  private start(group: Group, slot: Slot, now: number): void {
    const { key, run, definition, init } = slot;
    if (run.current.state === 'Terminated') {
      run.previous = run.current;
      run.restarts += 1;
    } else if (run.current.reason === 'CrashLoopBackOff') {
      run.restarts += 1;
    }
    run.current = { state: 'Running', startedAt: now };
    run.started = true;
    this.life.event(
      group,
      now,
      'K8sAgent',
      'Normal',
      'Created',
      `Created container ${definition.name}`,
      definition.name,
    );
    this.life.event(
      group,
      now,
      'K8sAgent',
      'Normal',
      'Started',
      `Started container ${definition.name}`,
      definition.name,
    );
    const { runMs } = currentRun(run);
    if (runMs !== null) this.life.setTimer(group, `${key}:end`, now + runMs);
    const { readyAfterMs } = run.behaviour;
    if (!init && readyAfterMs !== null) {
      const { readiness } = definition;
      // The first probe that can succeed is the one after the initial delay; a container without a probe is ready as soon as it runs.
      const probed = readiness
        ? readiness.initialDelaySeconds * 1_000 + Math.min(1_000, readiness.periodSeconds * 1_000)
        : 0;
      if (probed + readyAfterMs === 0) run.ready = true;
      else this.life.setTimer(group, `${key}:ready`, now + probed + readyAfterMs);
    }
    this.life.changed(group);
  }

  private end(group: Group, slot: Slot, now: number): void {
    const { key, run, definition, init } = slot;
    const { exitCode, reason } = currentRun(run);
    const ranMs = now - (run.current.startedAt ?? now);
    delete group.timers[`${key}:ready`];
    delete group.timers[`${key}:stop`];
    this.terminate(run, now, exitCode, reason ?? (exitCode === 0 ? 'Completed' : 'Error'), 0);
    if (reason === 'OOMKilled')
      this.life.event(
        group,
        now,
        'EciService',
        'Warning',
        'OOMKilled',
        `Container ${definition.name} was killed: out of memory`,
        definition.name,
      );
    this.life.changed(group);
    if (group.status === 'Terminating') return;

    const policy = group.definition.restartPolicy;
    const again = init
      ? exitCode !== 0 && policy !== 'Never'
      : policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
    if (again) return this.restartLater(group, slot, ranMs, now);
    if (init && exitCode === 0) return this.proceed(group, now);
    if (init)
      return this.life.ended(group, now, {
        reason: 'Error',
        message: `Init container ${definition.name} exited with ${exitCode}.`,
      });
    this.endWhenAllEnded(group, now);
  }

  private restartLater(group: Group, { key, run, definition }: Slot, ranMs: number, now: number): void {
    const { firstMs, baseMs, capMs } = this.life.latencies().restart;
    run.crashes = ranMs >= HEALTHY_MS ? 1 : run.crashes + 1;
    const wait = run.crashes === 1 ? firstMs : Math.min(capMs, baseMs * 2 ** (run.crashes - 2));
    if (run.crashes > 1) {
      run.previous = run.current;
      run.current = {
        state: 'Waiting',
        reason: 'CrashLoopBackOff',
        message: `back-off ${Math.round(wait / 1_000)}s restarting failed container=${definition.name}`,
      };
      this.life.event(
        group,
        now,
        'K8sAgent',
        'Warning',
        'BackOff',
        `Back-off restarting failed container ${definition.name}`,
        definition.name,
      );
    }
    // Never at once: a container that ends at once would restart for ever within one moment.
    this.life.setTimer(group, `${key}:restart`, now + Math.max(100, wait));
  }

  private endWhenAllEnded(group: Group, now: number): void {
    const open = mains(group).some(
      ({ key, run }) => run.current.state !== 'Terminated' || group.timers[`${key}:restart`] !== undefined,
    );
    if (open) return;
    // Containers may start and end within one moment: the group then still passes through Running.
    this.life.allStarted(group, now);
    const failed = mains(group).find(({ run }) => run.current.exitCode !== 0);
    this.life.ended(
      group,
      now,
      failed && {
        reason: failed.run.current.reason ?? 'Error',
        message: `Container ${failed.definition.name} exited with ${failed.run.current.exitCode}.`,
      },
    );
  }

  private stop(group: Group, { key, run }: Slot, now: number): void {
    delete group.timers[`${key}:end`];
    const { stopExitCode } = run.behaviour;
    this.terminate(run, now, stopExitCode, stopExitCode === 0 ? 'Completed' : 'Error', 0);
    this.life.changed(group);
  }

  private terminate(run: ContainerRun, now: number, exitCode: number, reason: string, signal: number): void {
    run.ready = false;
    run.current = {
      state: 'Terminated',
      reason,
      exitCode,
      ...(signal ? { signal } : {}),
      startedAt: run.current.startedAt ?? now,
      finishedAt: now,
    };
  }
}

function currentRun({ behaviour, restarts }: { readonly behaviour: Behaviour; readonly restarts: number }): Run {
  return behaviour.runs[Math.min(restarts, behaviour.runs.length - 1)] ?? FOREVER;
}

function mains(group: Group): Slot[] {
  return group.containers.map((run, index) => ({
    key: `m${index}`,
    init: false,
    index,
    run,
    definition: group.definition.containers[index]!,
  }));
}

function inits(group: Group): Slot[] {
  return group.initContainers.map((run, index) => ({
    key: `i${index}`,
    init: true,
    index,
    run,
    definition: group.definition.initContainers[index]!,
  }));
}
