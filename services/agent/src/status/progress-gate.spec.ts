import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PodObject } from '#libs/kubernetes';
import { VirtualClock } from '#libs/runtime';
import { isProgress, ProgressGate } from './progress-gate.ts';

const pod = (phase: string | undefined, metadata: Record<string, unknown> = {}): PodObject => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', ...metadata },
  spec: {},
  ...(phase === undefined ? {} : { status: { phase } }),
});

describe('progress', () => {
  it('is a pod that stays Pending', () => {
    expect(isProgress(pod('Pending'), { status: { phase: 'Pending' } })).toBe(true);
    expect(isProgress(pod(undefined), { status: { phase: 'Pending' } })).toBe(true);
  });

  it.each([
    ['a pod that runs', pod('Pending'), { phase: 'Running' }],
    ['a pod that has ended', pod('Running'), { phase: 'Failed' }],
    ['a reason', pod('Pending'), { phase: 'Pending', reason: 'ProviderFailed' }],
    ['a pod that is being deleted', pod('Pending', { deletionTimestamp: 'x' }), { phase: 'Pending' }],
    ['no status', pod('Pending'), undefined],
  ])('is not %s', (_, object, status) => {
    expect(isProgress(object, status === undefined ? {} : { status })).toBe(false);
  });
});

describe('the gate of progress', () => {
  it('lets a few through at once, and holds the others of a storm', () => {
    const gate = new ProgressGate(new VirtualClock());

    const waits = Array.from({ length: 100 }, (_, i) => gate.waitMs(`u${i}`));

    expect(waits.filter((ms) => ms === 0)).toHaveLength(20);
    expect(waits.at(-1)).toBe(10_000);
  });

  it('holds none for more than ten seconds, whatever comes and however often it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 800 })), { maxLength: 60 }),
        async (asks) => {
          const clock = new VirtualClock();
          const gate = new ProgressGate(clock);
          const heldSince = new Map<string, number>();
          for (const [pod, ms] of asks) {
            const uid = `u${pod}`;
            const wait = gate.waitMs(uid);
            const since = heldSince.get(uid) ?? clock.now();
            expect(clock.now() + wait).toBeLessThanOrEqual(Math.max(clock.now(), since + 10_000));
            if (wait === 0) heldSince.delete(uid);
            else heldSince.set(uid, since);
            await clock.advance(ms);
          }
        },
      ),
    );
  });
});
