import type { StopPod } from '#libs/contracts';
import type { PodObject, Stored } from '#libs/kubernetes';
import { silentLogger } from '#libs/observability';
import { SeededRandom, SystemClock } from '#libs/runtime';
import { eventually } from '#libs/testing';
import { describe, expect, it } from 'vitest';
import { PodIntents, type PodIntentsOptions } from './pod-intents.ts';

const pod = (conditions: readonly { type: string; status: string; reason: string }[] = []): Stored<PodObject> => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1', generation: 1 },
  spec: {},
  status: { phase: 'Running', conditions },
});

/** What is said of a pod that is gone. */
async function saidOf(object: Stored<PodObject>, by: 'watch' | 'relist'): Promise<StopPod> {
  const sent: unknown[] = [];
  const intents = new PodIntents({
    pods: { get: () => undefined, size: 0 },
    resolver: {} as PodIntentsOptions['resolver'],
    publisher: {
      send: (body: unknown) => Promise.resolve(void sent.push(body)),
    } as unknown as PodIntentsOptions['publisher'],
    events: { forget: () => undefined } as unknown as PodIntentsOptions['events'],
    clock: new SystemClock(),
    random: new SeededRandom(1),
    logger: silentLogger,
  } as unknown as PodIntentsOptions);
  intents.resume();
  intents.onChange({ kind: 'deleted', object, by });
  await eventually(() => sent.length > 0, { what: 'the stop is sent' });
  await intents.stop();
  return sent[0] as StopPod;
}

describe('a pod that is gone', () => {
  it('was seen going only when the watch said so', async () => {
    expect(await saidOf(pod(), 'watch')).toMatchObject({ kind: 'StopPod', uid: 'u', reason: 'ObjectGone' });
    // missing from a list after a gap: an API server that was restored looks like this
    expect(await saidOf(pod(), 'relist')).toMatchObject({ reason: 'Absent' });
  });

  it('names who ended it: pod garbage collection leaves the reason in the last state only', async () => {
    const conditions = [{ type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC' }];
    expect(await saidOf(pod(conditions), 'watch')).toMatchObject({
      reason: 'ObjectGone',
      disruption: 'DeletionByPodGC',
    });
    expect(await saidOf(pod(), 'watch')).not.toHaveProperty('disruption');
  });
});

describe('a pod that was on its way out before it was known', () => {
  it('waits for nothing once its stop was sent: if that got lost, an inventory must tell', async () => {
    const going = { ...pod(), metadata: { ...pod().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const sent: unknown[] = [];
    const intents = new PodIntents({
      pods: { get: () => going, size: 1 },
      publisher: { send: (body: unknown) => Promise.resolve(void sent.push(body)) },
      events: { forget: () => undefined },
      clock: new SystemClock(),
      random: new SeededRandom(1),
      logger: silentLogger,
    } as unknown as PodIntentsOptions);
    intents.resume();
    expect(intents.waitingFor(going)).toBe('its turn');

    intents.onChange({ kind: 'added', object: going });
    await eventually(() => sent.length > 0, { what: 'the stop is sent' });
    await intents.stop();

    expect(sent).toMatchObject([{ kind: 'StopPod', reason: 'Deleted' }]);
    expect(intents.waitingFor(going)).toBeUndefined();
  });
});
