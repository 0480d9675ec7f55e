import { fold, streamIdOf, type ContainerGroupState } from '#libs/domain';
import type { EciClient } from '#libs/eci';
import { VirtualClock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { CallerSight } from './may-see.ts';

type Answer = Awaited<ReturnType<EciClient['list']>>;
const place = { accountId: 'acc', region: 'cn-hangzhou' };
const listed = (...fleets: readonly string[]): Answer => ({
  kind: 'done',
  requestId: 'r',
  value: {
    groups: fleets.map((fleet, i) => ({
      snapshot: { containerGroupId: `eci-${i}`, status: 'Running' },
      identity: { fleet },
    })),
  },
});

let clock: VirtualClock;
let asked: number;
let answer: Answer;
let states: Map<string, ContainerGroupState>;

beforeEach(() => {
  clock = new VirtualClock();
  asked = 0;
  answer = listed();
  states = new Map();
});

const sight = (): CallerSight =>
  new CallerSight({
    fleet: 'f',
    scopes: { knownGroups: () => Promise.resolve(new Map([...states.keys()].map((id) => [`group of ${id}`, id]))) },
    streams: { loadMany: () => Promise.resolve(states) },
    clock,
  });
const client = { list: () => Promise.resolve((asked++, answer)) } as Pick<EciClient, 'list'>;
const knows = (over: { readonly agoMs: number; readonly gone?: boolean }): void => {
  const id = streamIdOf('k', 'u');
  const at = new Date(clock.now() - over.agoMs).toISOString();
  const containerGroupId = `group of ${id}`;
  const opened = { type: 'Adopted', at, data: { attempt: 1, containerGroupId } } as const;
  const gone = { type: 'ContainerGroupGone', at, data: { containerGroupId, evidence: 'x' } } as const;
  states.set(id, fold(over.gone ? [opened, gone] : [opened]));
};

describe('an empty answer', () => {
  it('is believed of one who sees a group of the fleet, whatever is known', async () => {
    knows({ agoMs: 3_600_000 });
    answer = listed('f');
    expect(await sight().maySee(place, client)).toBe(true);
    answer = listed('another');
    expect(await sight().maySee(place, client)).toBe(false);
  });

  it('is believed when there is no group that should be seen', async () => {
    expect(await sight().maySee(place, client)).toBe(true);
    knows({ agoMs: 3_600_000, gone: true });
    expect(await sight().maySee(place, client)).toBe(true);
  });

  it.each([-3_600_000, 0, 30_000])(
    'is not believed while a group is known, whatever its time says (%i ms ago)',
    async (agoMs) => {
      knows({ agoMs });
      expect(await sight().maySee(place, client)).toBe(false);
    },
  );

  it('is not believed when groups should be there and none is, nor when the cloud does not say', async () => {
    knows({ agoMs: 3_600_000 });
    expect(await sight().maySee(place, client)).toBe(false);
    states.clear();
    answer = { kind: 'unknown', reason: 'no answer' };
    expect(await sight().maySee(place, client)).toBe(false);
  });

  it('is asked about once for look-ups that come together, and anew before the second that proves absence', async () => {
    const one = sight();
    await Promise.all([one.maySee(place, client), one.maySee(place, client)]);
    expect(asked).toBe(1);
    await clock.advance(60_000);
    await one.maySee(place, client);
    expect(asked).toBe(2);
  });
});
