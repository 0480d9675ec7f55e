import { describe, expect, it } from 'vitest';
import type { PodObject, Stored } from '#libs/kubernetes';
import { deletionOf, nextIntent, type PodRecord } from './next-intent.ts';

const record = (more: Partial<PodRecord> = {}): PodRecord => ({
  uid: 'u',
  namespace: 'n',
  name: 'p',
  sent: false,
  again: false,
  ...more,
});
const pod = (
  metadata: Record<string, unknown> = {},
  status: Record<string, unknown> = { phase: 'Pending' },
): Stored<PodObject> => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1, ...metadata },
  spec: {},
  status,
});
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 30 };

describe('what to say about a pod', () => {
  it('run it, once', () => {
    expect(nextIntent(record(), pod())).toEqual({ kind: 'run' });
    expect(nextIntent(record({ sent: true, sentGeneration: 1 }), pod())).toBeUndefined();
  });

  it('run it again when its spec changed or somebody asked', () => {
    expect(nextIntent(record({ sent: true, sentGeneration: 1 }), pod({ generation: 2 }))).toEqual({ kind: 'run' });
    expect(nextIntent(record({ sent: true, sentGeneration: 1, again: true }), pod())).toEqual({ kind: 'run' });
  });

  it.each(['Succeeded', 'Failed'])('never run a pod in phase %s, whoever asks', (phase) => {
    expect(nextIntent(record({ again: true }), pod({}, { phase }))).toBeUndefined();
  });

  it('stop it when it is being deleted, even if it never ran or has ended', () => {
    expect(nextIntent(record(), pod(deleted))).toMatchObject({
      kind: 'stop',
      body: { reason: 'Deleted', graceSeconds: 30 },
    });
    expect(nextIntent(record(), pod(deleted, { phase: 'Succeeded' }))).toMatchObject({ kind: 'stop' });
  });

  it('stop it again only for a shorter grace period or when asked', () => {
    const sentStop = deletionOf(pod(deleted));

    expect(nextIntent(record({ sentStop }), pod(deleted))).toBeUndefined();
    expect(nextIntent(record({ sentStop }), pod({ ...deleted, deletionGracePeriodSeconds: 1 }))).toMatchObject({
      body: { graceSeconds: 1 },
    });
    expect(nextIntent(record({ sentStop, again: true }), pod(deleted))).toMatchObject({ kind: 'stop' });
  });

  it('name who disrupts it', () => {
    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager' }];

    expect(nextIntent(record(), pod(deleted, { phase: 'Running', conditions }))).toMatchObject({
      body: { disruption: 'DeletionByTaintManager' },
    });
  });

  it('say that the object is gone, and how that is known; without proof nothing', () => {
    expect(nextIntent(record({ gone: 'ObjectGone' }), undefined)).toMatchObject({ body: { reason: 'ObjectGone' } });
    expect(nextIntent(record({ gone: 'Absent' }), undefined)).toMatchObject({ body: { reason: 'Absent' } });
    expect(nextIntent(record({ sent: true }), undefined)).toBeUndefined();
    // pod garbage collection leaves no time to see the object again
    expect(nextIntent(record({ gone: 'ObjectGone', goneBy: 'DeletionByPodGC' }), undefined)).toMatchObject({
      body: { reason: 'ObjectGone', disruption: 'DeletionByPodGC' },
    });
  });

  it('believe the object rather than a rumour of its absence', () => {
    expect(nextIntent(record({ sent: true, sentGeneration: 1, gone: 'Absent' }), pod())).toBeUndefined();
  });
});
