import { describe, expect, it } from 'vitest';
import type { ContainerGroupEvent } from '#libs/domain';
import { groupTimes } from './group-times.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (seconds: number): string => new Date(T0 + seconds * 1000).toISOString();
const said = (seconds: number, type: string, data: Record<string, unknown>): ContainerGroupEvent =>
  ({ type, at: at(seconds), data }) as unknown as ContainerGroupEvent;

const created = (s: number, id: string) =>
  said(s, 'ContainerGroupCreated', { attempt: 1, containerGroupId: id, requestId: 'r' });
const running = (s: number, id: string) => said(s, 'ContainersChanged', { containerGroupId: id, status: 'Running' });

describe('times of a group', () => {
  it('counts a group from its creation to the end that the cloud names', () => {
    const times = groupTimes([
      created(10, 'a'),
      running(20, 'a'),
      said(70, 'ContainerGroupSucceeded', { containerGroupId: 'a', finishedAt: at(60) }),
    ]);
    expect(times).toEqual({
      createdAt: T0 + 10_000,
      runningAt: T0 + 20_000,
      endedAt: T0 + 60_000,
      endedGroupSeconds: 50,
    });
  });

  it('counts nothing twice: neither an end and a disappearance, nor two ends', () => {
    const times = groupTimes([
      created(0, 'a'),
      said(30, 'ContainerGroupFailed', { containerGroupId: 'a', reason: 'Error', message: '' }),
      said(90, 'ContainerGroupGone', { containerGroupId: 'a', evidence: 'deleted' }),
    ]);
    expect(times.endedGroupSeconds).toBe(30);
    expect(times.endedAt).toBe(T0 + 30_000);
  });

  it('counts every group of a pod, late twins too, but none that was never scheduled', () => {
    const times = groupTimes([
      created(0, 'never-scheduled'),
      said(40, 'SchedulingFailed', { attempt: 1, containerGroupId: 'never-scheduled', reason: 'NoStock', message: '' }),
      created(50, 'b'),
      said(60, 'OrphanFound', { containerGroupId: 'twin', status: 'Running' }),
      said(80, 'ContainerGroupGone', { containerGroupId: 'twin', evidence: 'deleted' }),
      running(90, 'b'),
      said(150, 'ContainerGroupGone', { containerGroupId: 'b', evidence: 'deleted' }),
    ]);
    expect(times).toMatchObject({ createdAt: T0 + 50_000, runningAt: T0 + 90_000, endedGroupSeconds: 120 });
  });

  it('counts nothing for a group that still exists', () => {
    expect(groupTimes([created(0, 'a'), running(5, 'a')])).toEqual({
      createdAt: T0,
      runningAt: T0 + 5_000,
      endedGroupSeconds: 0,
    });
  });

  it('keeps to what we saw when the cloud names no readable time', () => {
    expect(
      groupTimes([
        created(0, 'a'),
        said(9, 'ContainerGroupExpired', { containerGroupId: 'a', message: '', finishedAt: 'soon' }),
      ]).endedGroupSeconds,
    ).toBe(9);
  });
});
