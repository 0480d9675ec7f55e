import type { ContainerState, ContainerStatus, KnownGroup } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { DetailsSchedule, isSettled } from './details-schedule.ts';

/** Seconds at which a group is read, asked every second. */
function readAt(schedule: DetailsSchedule, { from, to }: { from: number; to: number }): readonly number[] {
  const read: number[] = [];
  for (let second = from; second < to; second++) if (schedule.due(second * 1000, 10).includes('g')) read.push(second);
  return read;
}

describe('the details of a group', () => {
  it('are read ever more rarely while it does not settle, once a minute at least', () => {
    const schedule = new DetailsSchedule();
    schedule.learn('g', { settled: false, changed: false, now: 0 });

    expect(readAt(schedule, { from: 0, to: 300 })).toEqual([3, 9, 21, 45, 93, 153, 213, 273]);
  });

  it('are read soon after news, and not put off by news that come every second', () => {
    const schedule = new DetailsSchedule();
    schedule.learn('g', { settled: false, changed: false, now: 0 });
    readAt(schedule, { from: 0, to: 100 });

    const read: number[] = [];
    for (let second = 100; second < 110; second++) {
      schedule.learn('g', { settled: false, changed: true, now: second * 1000 });
      read.push(...readAt(schedule, { from: second, to: second + 1 }));
    }
    expect(read).toEqual([103, 107]);
  });

  it('are read for a little while after news of a group that is settled, and then no more', () => {
    const schedule = new DetailsSchedule();
    schedule.learn('g', { settled: true, changed: true, now: 0 });

    expect(readAt(schedule, { from: 0, to: 3_600 })).toEqual([3, 9, 21]);
  });

  it('are not read of a settled group that is met for the first time', () => {
    const schedule = new DetailsSchedule();
    schedule.learn('g', { settled: true, changed: false, now: 0 });

    expect(readAt(schedule, { from: 0, to: 600 })).toEqual([]);
  });

  it('are read although the clock was set back', () => {
    const schedule = new DetailsSchedule();
    schedule.learn('g', { settled: false, changed: false, now: 7_200_000 });

    expect(readAt(schedule, { from: 0, to: 5 })).not.toEqual([]);
  });
});

describe('a group is settled', () => {
  const container = (state: ContainerState): ContainerStatus => ({
    name: 'c',
    image: 'i',
    ready: false,
    restartCount: 0,
    state,
  });
  const running = container({ state: 'running' });
  const waiting = container({ state: 'waiting', reason: 'CrashLoopBackOff' });
  const ended = container({ state: 'terminated', exitCode: 0, reason: 'Completed' });
  const group = (over: Partial<KnownGroup>): KnownGroup => ({
    containerGroupId: 'g',
    attempt: 1,
    since: '',
    status: 'Running',
    beyondScheduling: true,
    containers: [running],
    initContainers: [],
    conditions: [],
    cloudEvents: [],
    open: true,
    gone: false,
    ...over,
  });

  it.each([
    { what: 'runs', over: {}, settled: true },
    { what: 'runs, one container has ended', over: { containers: [running, ended] }, settled: true },
    { what: 'runs, after its init containers', over: { initContainers: [ended] }, settled: true },
    { what: 'is being deleted', over: { status: 'Terminating', containers: [waiting] }, settled: true },
    { what: 'waits for a container', over: { containers: [running, waiting] }, settled: false },
    { what: 'runs, its init containers were last seen at work', over: { initContainers: [running] }, settled: false },
    { what: 'has not started', over: { status: 'Pending' }, settled: false },
    { what: 'restarts', over: { status: 'Restarting' }, settled: false },
  ] as const)('when it $what: $settled', ({ over, settled }) => {
    expect(isSettled(group(over))).toBe(settled);
  });
});
