import { streamIdOf, type ContainerGroupCommand } from '#libs/domain';
import { describe, expect, it } from 'vitest';
import { runPod } from '../../../../libs/domain/spec/samples.ts';
import { podsOf, type OnePod } from '../../spec/effects/one-pod.ts';
import { chosen, refusedBy, seen, created, stopped, wanted } from '../../spec/effects/told.ts';
import { RefreshEffects } from './refresh-effects.ts';

const pods = podsOf((parts, tools) => new RefreshEffects(parts, tools));
const ASKED = { afterMs: 60_000 };

async function given(...commands: readonly ContainerGroupCommand[]): Promise<OnePod> {
  const pod = await pods(...commands);
  await pod.put('Refresh', 'intent');
  return pod;
}

describe('the agent of a pod whose intent is too old', () => {
  it('is asked, and asked again in a minute if it does not answer', async () => {
    const pod = await given(wanted);
    await pod.when();
    pod.thenOnly({ rows: { 'Place next': {}, 'Refresh intent': ASKED } });
    expect(pod.asked).toEqual(['k1: Refresh u1']);
    await pod.when();
    expect(pod.asked).toEqual(['k1: Refresh u1', 'k1: Refresh u1']);
  });

  it('is asked for a pod that is parked, too', async () => {
    const outcome = refusedBy('AUTH');
    const pod = await given(wanted, chosen, { type: 'RecordCreate', attempt: 1, outcome });
    await pod.when();
    pod.thenOnly({ rows: { 'Refresh intent': ASKED } });
    expect(pod.asked).toEqual(['k1: Refresh u1']);
  });

  it.each([
    ['has a group', [wanted, chosen, created, seen()]],
    ['is stopped', [wanted, stopped]],
  ])('is not asked for one that %s', async (_, commands) => {
    const pod = await given(...commands);
    await pod.when();
    expect(pod.rows()['Refresh intent']).toBeUndefined();
    expect(pod.asked).toEqual([]);
  });

  it('is asked once for all pods of its cluster', async () => {
    const pod = await given(wanted);
    const others = [streamIdOf('k1', 'u2'), streamIdOf('k2', 'u3')];
    for (const stream of others) {
      await pod.sayOf(stream, runPod());
      await pod.put('Refresh', 'intent', {}, stream);
    }
    await pod.when();
    expect(pod.asked.toSorted()).toEqual(['k1: Refresh u1 u2', 'k2: Refresh u3']);
    for (const stream of others) expect(pod.rows(stream)['Refresh intent']).toMatchObject(ASKED);
  });

  it('that is away keeps the agent of another cluster from nothing', async () => {
    const pod = await given(wanted);
    const other = streamIdOf('k2', 'u3');
    await pod.sayOf(other, runPod());
    await pod.put('Refresh', 'intent', {}, other);
    pod.unreachable.add('k1');
    await pod.when();
    pod.thenOnly({ rows: { 'Place next': {}, 'Refresh intent': { afterMs: 750 } } });
    expect(pod.rows(other)['Refresh intent']).toMatchObject(ASKED);
    expect(pod.aside).toBe(1);
  });

  it('is asked in vain when the claim is lost: the row is somebody else’s', async () => {
    const pod = await given(wanted);
    await pod.when(() => pod.steal());
    pod.thenOnly({ rows: { 'Place next': { afterMs: -60_001 }, 'Refresh intent': { afterMs: 60_000, held: true } } });
  });

  it('is not asked, and the row ends, when others write to the stream of a pod that wants none', async () => {
    const pod = await given(wanted, chosen, created);
    pod.before('append', () => pod.say(seen()));
    await pod.when();
    pod.thenOnly({});
    expect(pod.asked).toEqual([]);
  });
});
