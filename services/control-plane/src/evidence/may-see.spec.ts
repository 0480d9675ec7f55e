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
let failed: Map<string, unknown>;

beforeEach(() => {
  clock = new VirtualClock();
  asked = 0;
  answer = listed();
  states = new Map();
  failed = new Map();
});

const sight = (): CallerSight =>
  new CallerSight({
    fleet: 'f',
    scopes: { knownGroups: () => Promise.resolve(new Map([...states.keys()].map((id) => [`group of ${id}`, id]))) },
    streams: { loadEach: () => Promise.resolve({ states, failed }) },
    clock,
  });
const client = { list: () => Promise.resolve((asked++, answer)) } as Pick<EciClient, 'list'>;
const knows = (over: { readonly agoMs: number; readonly gone?: boolean; readonly deleted?: boolean }): void => {
  const id = streamIdOf('k', 'u');
  const at = new Date(clock.now() - over.agoMs).toISOString();
  const containerGroupId = `group of ${id}`;
  const opened = { type: 'Adopted', at, data: { attempt: 1, containerGroupId } } as const;
  const gone = { type: 'ContainerGroupGone', at, data: { containerGroupId, evidence: 'x' } } as const;
  const deleted = { type: 'DeleteAccepted', at, data: { containerGroupId, requestId: 'r' } } as const;
  states.set(id, fold([opened, ...(over.deleted ? [deleted] : []), ...(over.gone ? [gone] : [])]));
};

describe('an empty answer', () => {
  it('is believed of one who sees a group of the fleet, whatever is known', async () => {
    knows({ agoMs: 3_600_000 });
    answer = listed('f');
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(true);
    answer = listed('another');
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(false);
  });

  it('is believed when there is no group that should be seen', async () => {
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(true);
    knows({ agoMs: 3_600_000, gone: true });
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(true);
    // one that was deleted may be gone, and nobody should wait for it
    knows({ agoMs: 3_600_000, deleted: true });
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(true);
  });

  it('is not believed while a stream cannot be read: its group may be one that should be seen', async () => {
    knows({ agoMs: 3_600_000, gone: true });
    failed.set(streamIdOf('k', 'u'), new Error('poisoned'));
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(false);
  });

  it.each([-3_600_000, 0, 30_000])(
    'is not believed while a group is known, whatever its time says (%i ms ago)',
    async (agoMs) => {
      knows({ agoMs });
      expect(await sight().maySee(place, client, clock.monotonic())).toBe(false);
    },
  );

  it('is not believed when groups should be there and none is, nor when the cloud does not say', async () => {
    knows({ agoMs: 3_600_000 });
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(false);
    states.clear();
    answer = { kind: 'unknown', reason: 'no answer' };
    expect(await sight().maySee(place, client, clock.monotonic())).toBe(false);
  });

  it('is asked about once for look-ups that come together, and anew before the second that proves absence', async () => {
    const one = sight();
    await Promise.all([one.maySee(place, client, clock.monotonic()), one.maySee(place, client, clock.monotonic())]);
    expect(asked).toBe(1);
    // one look from before the question says nothing of its answer
    await clock.advance(1);
    await one.maySee(place, client, clock.monotonic());
    expect(asked).toBe(2);
    await clock.advance(60_000);
    await one.maySee(place, client, clock.monotonic());
    expect(asked).toBe(3);
  });
});
