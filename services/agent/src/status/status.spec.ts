import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PodStatusMessage } from '#libs/contracts';
import type { PodObject, Stored } from '#libs/kubernetes';
import { StatusBook } from './status-book.ts';
import { readinessLost, statusPatch, VIRTUAL_NODE_LABEL } from './status-patch.ts';

const message = (revision: number, more: Partial<PodStatusMessage> = {}): PodStatusMessage => ({
  kind: 'PodStatus',
  schemaVersion: 1,
  podUid: 'u',
  namespace: 'n',
  name: 'p',
  revision,
  annotations: {},
  finalize: false,
  events: [],
  ...more,
});

describe('the status book', () => {
  it('ends with the highest revision, in whatever order and however often messages come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (revisions) => {
        const book = new StatusBook();
        for (const r of revisions) book.accept(message(r));
        expect(book.newest('u')!.revision).toBe(Math.max(...revisions));
      }),
    );
  });

  it('keeps a newer status due when an older one was written', () => {
    const book = new StatusBook();
    book.accept(message(1));
    book.accept(message(2));

    book.wrote('u', 1);

    expect(book.due('u')?.revision).toBe(2);
    expect(book.written('u')).toBe(1);
    book.wrote('u', 2);
    expect(book.due('u')).toBeUndefined();
  });

  it('writes again what it is told to write again, once', () => {
    const book = new StatusBook();
    book.accept(message(3));
    book.wrote('u', 3);

    book.rewrite('u');

    expect(book.due('u')?.revision).toBe(3);
    book.wrote('u', 3);
    expect(book.due('u')).toBeUndefined();
  });

  it('writes nothing for a newer message that asks for the same object', () => {
    const book = new StatusBook();
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    book.accept(message(3, { status, annotations: { a: 'b' } }));
    book.wrote('u', 3);

    book.accept(message(4, { status: structuredClone(status), annotations: { a: 'b' } }));

    expect(book.due('u')).toBeUndefined();
    expect(book.written('u')).toBe(4);
    book.accept(message(5, { status, annotations: { a: 'c' } }));
    expect(book.due('u')?.revision).toBe(5);
    book.accept(message(6, { status, annotations: { a: 'c' } }));
    expect(book.due('u')?.revision).toBe(6);
  });

  it('still writes again what it was told to write again when a newer message says the same', () => {
    const book = new StatusBook();
    book.accept(message(3));
    book.wrote('u', 3);
    book.rewrite('u');

    book.accept(message(4));

    expect(book.due('u')?.revision).toBe(4);
  });

  it('forgets a pod at its tombstone', () => {
    const book = new StatusBook();
    book.accept(message(3));

    book.forget('u');

    expect(book.newest('u')).toBeUndefined();
    expect(book.accept(message(1))).toBe(true);
  });
});

describe('the status patch', () => {
  const pod = (
    status: Record<string, unknown>,
    labels: Record<string, string> = { [VIRTUAL_NODE_LABEL]: 'true' },
  ): Stored<PodObject> => ({
    metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1', labels },
    spec: {},
    status,
  });
  const running = {
    phase: 'Running',
    hostIP: '10.0.0.1',
    hostIPs: [{ ip: '10.0.0.1' }],
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }],
    startTime: '2026-01-01T00:00:00.123Z',
    observedGeneration: 3,
    conditions: [{ type: 'Ready', status: 'True', observedGeneration: 3 }],
  };

  it('has the UID as precondition and no observedGeneration', () => {
    const patch = statusPatch(pod({ phase: 'Pending' }, {}), message(1, { status: running, annotations: { a: 'b' } }))!;

    expect(patch.metadata).toEqual({ uid: 'u', labels: { [VIRTUAL_NODE_LABEL]: 'true' }, annotations: { a: 'b' } });
    expect(JSON.stringify(patch)).not.toContain('observedGeneration');
  });

  it('takes back what the new status no longer has, but not what is of others', () => {
    const before = {
      phase: 'Pending',
      reason: 'Old',
      conditions: [
        { type: 'PodScheduled', status: 'True' },
        { type: 'DisruptionTarget', status: 'True' },
        { type: 'Initialized', status: 'True' },
      ],
    };

    const { status } = statusPatch(pod(before), message(1, { status: running })) as { status: Record<string, unknown> };

    expect(status.reason).toBeNull();
    for (const field of ['podIPs', 'hostIPs'])
      expect(status[field]).toEqual([{ $patch: 'replace' }, { ip: '10.0.0.1' }]);
    expect(status.conditions).toEqual([
      { type: 'Ready', status: 'True' },
      { type: 'Initialized', $patch: 'delete' },
    ]);
  });

  it('is nothing when the object shows it already, also with times cut to seconds', () => {
    const shown = {
      ...running,
      startTime: '2026-01-01T00:00:00Z',
      qosClass: 'BestEffort',
      conditions: [{ type: 'PodScheduled', status: 'True' }, ...running.conditions],
    };

    expect(statusPatch(pod(shown), message(1, { status: running }))).toBeUndefined();
    expect(statusPatch(pod(shown), message(1, { status: running }), true)).toBeDefined();
  });

  it('takes away the reason of a condition that is over, and is due until it is gone', () => {
    const condition = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' };
    const status = { phase: 'Running', conditions: [condition] };
    const left = { ...condition, reason: 'ContainersNotReady', message: 'containers with unready status: [c]' };

    const patch = statusPatch(pod({ phase: 'Running', conditions: [left] }), message(1, { status }));

    expect(patch).toMatchObject({ status: { conditions: [{ ...condition, reason: null, message: null }] } });
    expect(statusPatch(pod({ phase: 'Running', conditions: [condition] }), message(1, { status }))).toBeUndefined();
  });

  it('never brings an ended pod back to life', () => {
    const patch = statusPatch(pod({ phase: 'Failed' }), message(1, { status: running, annotations: { a: 'b' } }));

    expect(patch).toEqual({ metadata: { uid: 'u', annotations: { a: 'b' } } });
  });

  it('notices that somebody took the readiness away', () => {
    expect(
      readinessLost(pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }), { status: running }),
    ).toBe(true);
    expect(readinessLost(pod(running), { status: running })).toBe(false);
    expect(
      readinessLost(pod({ phase: 'Failed', conditions: [{ type: 'Ready', status: 'False' }] }), { status: running }),
    ).toBe(false);
  });
});
