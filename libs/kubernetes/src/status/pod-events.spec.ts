import { describe, expect, it } from 'vitest';
import type { CloudEvent } from '#libs/domain';
import { podEventsOf } from './pod-events.ts';
import {
  accepted,
  chosen,
  created,
  landed,
  need,
  refusedFor,
  running,
  seen,
  stopRequested,
  stream,
} from '../../spec/status-samples.ts';

const cloud = (reason: string, over: Partial<CloudEvent> = {}): CloudEvent => ({
  type: 'Normal',
  reason,
  message: `${reason} image nginx`,
  count: 1,
  firstTimestamp: '2026-11-23T10:00:20Z',
  ...over,
});

describe('the events of a pod', () => {
  it('tell its story', () => {
    const story = podEventsOf(
      stream(
        accepted(),
        chosen(1),
        refusedFor('STOCK_OUT', 1),
        chosen(2),
        created(2),
        { ...landed, data: { ...landed.data, containerGroupId: 'eci-2' } } as typeof landed,
        running({ containerGroupId: 'eci-2', cloudEvents: [cloud('Pulling'), cloud('Pulled')] }),
        stopRequested,
        { type: 'DeleteAccepted', data: { containerGroupId: 'eci-2' } },
        { type: 'ContainerGroupGone', data: { containerGroupId: 'eci-2', evidence: 'read by id' } },
        { type: 'PodObjectGone', data: { reason: 'ObjectGone' } },
      ),
    );
    expect(story.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)).toEqual([
      'Normal PodAccepted: ECI Fleet runs this pod: 2-4Gi on-demand in cn-hangzhou',
      'Normal PlacementChosen: Attempt 1: 2-4Gi on-demand, in this order: cn-hangzhou-h (vsw-h), vsw-k',
      'Warning NoStock: Attempt 1 was refused, STOCK_OUT (OperationDenied.NoStock), tried cn-hangzhou-h (vsw-h), vsw-k: The resource is out of stock.',
      'Normal PlacementChosen: Attempt 2: 2-4Gi on-demand, in this order: cn-hangzhou-h (vsw-h), vsw-k',
      'Normal ContainerGroupCreated: ECI accepted container group eci-2 (attempt 2)',
      'Normal ContainerGroupLanded: Runs in zone cn-hangzhou-k, vSwitch vsw-k, as 2-4Gi',
      'Normal Pulling: Pulling image nginx',
      'Normal Pulled: Pulled image nginx',
      'Normal StopRequested: Is being stopped (Deleted)',
      'Normal DeleteAccepted: ECI is deleting container group eci-2',
      'Normal ContainerGroupGone: Container group eci-2 does not exist (read by id)',
    ]);
    expect(story[0]).toMatchObject({ id: 'e0', at: '2026-11-23T10:00:00.123Z' });
  });

  it('warn of what may be missed, apart from what nobody will miss', () => {
    const ignored = [
      { field: 'spec.hostPort', reason: 'none' },
      { field: 'a', reason: 'the key b.c', warning: 'InvalidEnvironmentVariableNames' },
      { field: 'spec.imagePullSecrets', reason: 'no key', warning: 'FailedToRetrieveImagePullSecret' },
      { field: 'a', reason: 'the key d.e', warning: 'InvalidEnvironmentVariableNames' },
    ];
    const [, ...told] = podEventsOf(stream(accepted({ ignored })));
    expect(told.map(({ id, type, reason, message }) => `${id} ${type} ${reason}: ${message}`)).toEqual([
      'e0-ignored Normal FieldsIgnored: Not asked of ECI: spec.hostPort (none)',
      'e0-InvalidEnvironmentVariableNames Warning InvalidEnvironmentVariableNames: The pod goes without: a (the key b.c); a (the key d.e)',
      'e0-FailedToRetrieveImagePullSecret Warning FailedToRetrieveImagePullSecret: The pod goes without: spec.imagePullSecrets (no key)',
    ]);
  });

  it('relay what the cloud reported once, and count on', () => {
    const backOff = (count: number) => cloud('BackOff', { type: 'Warning', count });
    const first = stream(accepted(), seen('Pending', { cloudEvents: [cloud('Pulling'), backOff(1)] }));
    const later = stream(
      accepted(),
      seen('Pending', { cloudEvents: [cloud('Pulling'), backOff(1)] }),
      seen('Pending', { cloudEvents: [backOff(7), cloud('Pulling')] }),
    );
    const ids = (events: typeof first): string[] => podEventsOf(events).map(({ id }) => id);
    expect(ids(later)).toEqual(ids(first));
    expect(podEventsOf(later).find(({ reason }) => reason === 'BackOff')).toMatchObject({
      count: 7,
      at: '2026-11-23T10:00:20Z',
    });
  });

  it('say that a stop waits for an operator, and what became of it', () => {
    const data = { hold: 'k1/1', by: 'agent:k1', reason: 'Deleted', disruption: 'DeletionByTaintManager' } as const;
    const story = podEventsOf(
      stream(
        { type: 'StopHeld', data: { ...data, namespace: 'default', name: 'web', agentEpoch: 1, sequence: 1 } },
        { type: 'StopDenied', data: { by: 'operator:jo' } },
        { type: 'StopReleased', data: { by: 'operator:jo', outcome: 'stopped', reason: 'it is true' } },
      ),
    );
    expect(story.map(({ type, reason, message }) => `${type} ${reason}: ${message}`)).toEqual([
      'Warning StopHeld: Too many pods of this cluster are stopped at once: the stop (Deleted, DeletionByTaintManager) waits for an operator, the containers run on (hold k1/1)',
      'Normal StopDenied: operator:jo keeps this pod running although its stop was asked for',
      'Normal StopReleased: The held stop happens now (operator:jo: it is true)',
    ]);
  });

  it('fit into what the API server takes', () => {
    const [, event] = podEventsOf(
      stream(accepted(), { type: 'PodRejected', data: { field: 'spec', reason: 'x'.repeat(5000) } }),
    );
    expect(event!.message.length).toBeLessThanOrEqual(1000);
    const [, pair] = podEventsOf(
      stream(accepted(), { type: 'PodRejected', data: { field: 'spec', reason: '😀'.repeat(999) } }),
    );
    const [, shifted] = podEventsOf(
      stream(accepted(), { type: 'PodRejected', data: { field: 'specs', reason: '😀'.repeat(999) } }),
    );
    expect([pair!.message.isWellFormed(), shifted!.message.isWellFormed()]).toEqual([true, true]);
  });

  it('says nothing of running a pod that was rejected at once', () => {
    const nothing = { ...need, specs: [] };
    expect(podEventsOf(stream(accepted({ need: nothing })))).toEqual([]);
  });

  it('tells what ECI was not asked for', () => {
    const ignored = [{ field: 'spec.schedulerName', reason: 'the pod is bound already' }];
    const [first] = stream(accepted({ ignored }));
    expect(podEventsOf([{ ...first!, id: 'e1' }])).toMatchObject([
      { id: 'e1', reason: 'PodAccepted' },
      {
        id: 'e1-ignored',
        type: 'Normal',
        reason: 'FieldsIgnored',
        message: 'Not asked of ECI: spec.schedulerName (the pod is bound already)',
      },
    ]);
  });
});
