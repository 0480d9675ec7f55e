import { InMemoryDatabase, InMemoryEventStore, type EventStore, type NewEvent } from '#libs/event-store';
import { Clock } from '#libs/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { accepted, created, landed, placed, record, running, story } from '../../spec/for-specs.ts';
import { DisplayKeys } from '../keys/display-keys.ts';
import { MasterKey } from '../keys/master-key.ts';
import { StreamVault } from '../keys/stream-vault.ts';
import { podStatusRecord } from '../publish/pod-status.ts';
import { HidingEventStore } from './hiding-store.ts';

class Hands extends Clock {
  at = Date.parse('2026-03-01T10:00:00.000Z');
  override now = (): number => this.at;
  override monotonic = (): number => this.at;
  override sleep = (): Promise<void> => Promise.reject(new Error('nothing sleeps here'));
}

const STREAM = 'container_group:c1:u1';
const CANARY = 'canary-4711';
const DAY = 86_400_000;
const masterKey = new MasterKey(new Uint8Array(32).fill(7));

let clock: Hands;
let stored: EventStore;
beforeEach(() => {
  clock = new Hands();
  stored = new InMemoryEventStore(new InMemoryDatabase({ clock }));
});

/** One process of many. */
const process = (hides = true): HidingEventStore =>
  new HidingEventStore({ inner: stored, vault: new StreamVault(masterKey, 'display-key'), hides, clock });

/** A pod that says a secret in its command, and dies of another. */
function life(): readonly NewEvent[] {
  const begun = accepted('c1', 'u1');
  const ended = running('eci-1');
  if (begun.type !== 'PodIntentAccepted' || ended.type !== 'ContainersChanged') throw new Error('a story of another');
  const containers = [{ name: 'main', image: 'nginx:1', command: ['sh', '-c', `mysql -p${CANARY}`] }];
  const said = { state: 'terminated', exitCode: 1, reason: 'Error', message: `no ${CANARY}` } as const;
  return story([
    { ...begun, data: { ...begun.data, clearPod: { metadata: { name: 'p' }, spec: { containers } } } },
    placed(),
    created('eci-1'),
    landed('eci-1', 'z'),
    {
      ...ended,
      data: {
        ...ended.data,
        status: 'Failed',
        containers: [{ name: 'main', image: 'nginx:1', ready: false, restartCount: 0, state: said }],
      },
    },
    { type: 'ContainerGroupFailed', data: { containerGroupId: 'eci-1', reason: 'Error', message: `no ${CANARY}` } },
  ]);
}

const textOf = async (store: EventStore): Promise<string> =>
  JSON.stringify([...(await store.loadMany([STREAM])).values()]);
const statusOf = async (store: EventStore): Promise<string | undefined> =>
  podStatusRecord((await store.loadMany([STREAM])).get(STREAM)!)?.value?.toString();

describe('what is not for ever', () => {
  it('rests sealed, and is open to every process that has the master key', async () => {
    const events = life();
    const one = process();
    await record(one, STREAM, events);

    expect(await textOf(stored)).not.toContain(CANARY);
    for (const each of [one, process(), process(false)]) {
      const read = (await each.loadMany([STREAM])).get(STREAM)!;
      expect(read.map(({ data }) => data)).toEqual(events.map(({ data }) => data));
      // What is read twice is opened once.
      expect((await each.loadMany([STREAM])).get(STREAM)![0]).toBe(read[0]);
    }
  });

  it('has one key a stream, whoever writes first', async () => {
    const [first, ...others] = life();
    await record(process(false), STREAM, [first!]);
    const [one, two] = [process(), process()];
    const append = (store: EventStore, event: NewEvent, expected: number) =>
      store.append([{ streamId: STREAM, expected, events: [event] }]);
    const [, , , , changed, failed] = [first, ...others];

    const results = await Promise.all([append(one, changed!, 1), append(two, changed!, 1)]);
    expect(results.flat().filter(({ ok }) => ok)).toHaveLength(1);
    // The loser made a key that nobody has: it must not remember it.
    await append(two, failed!, 2);
    await append(one, { ...failed!, eventId: crypto.randomUUID() }, 3);

    const read = (await process().loadMany([STREAM])).get(STREAM)!;
    expect(read.slice(1).map(({ data }) => data)).toEqual([changed!.data, failed!.data, failed!.data]);
  });

  it('tells a pod that finished a week ago as it was told then, byte by byte', async () => {
    const told = process();
    await record(told, STREAM, life());
    const then = await statusOf(told);
    expect(then).toContain(CANARY);

    clock.at += 7 * DAY;
    expect(await statusOf(process())).toBe(then);
  });

  it('is erased some time after the pod is gone, in every process, and never written in clear again', async () => {
    const [one, other] = [process(), process()];
    const keys = new DisplayKeys({ store: one, retentionMs: 30 * DAY, clock });
    await record(one, STREAM, life());
    await textOf(other);
    expect(await keys.of(STREAM)).toEqual({ shown: true });

    // when the pod is gone
    await one.append([{ streamId: STREAM, expected: 6, events: [], closed: true }]);
    clock.at += 30 * DAY;
    expect(await keys.eraseDue()).toBe(0);
    expect(await keys.of(STREAM)).toEqual({ shown: true, until: new Date(clock.at).toISOString() });
    clock.at += 1;
    expect(await keys.eraseDue()).toBe(1);
    expect(await keys.eraseDue()).toBe(0);

    // then nobody has it any more
    expect(await keys.of(STREAM)).toEqual({ shown: false, erasedAt: new Date(clock.at).toISOString() });
    clock.at += 600_000;
    for (const each of [one, other, process()]) expect(await textOf(each)).not.toContain(CANARY);
    await record(one, STREAM, life().slice(-1));
    expect(await textOf(stored)).not.toContain(CANARY);
    expect((await one.loadMany([STREAM])).get(STREAM)!.at(-1)!.data['message']).toBe('');
  });

  it('is written as it is while an older release may have to read it', async () => {
    const events = life();
    await record(process(false), STREAM, events);
    expect((await stored.loadMany([STREAM])).get(STREAM)!.map(({ schemaVersion }) => schemaVersion)).toEqual(
      events.map(() => 1),
    );
    expect(await textOf(process())).toBe(await textOf(stored));
  });

  it('that was changed opens as what was erased does', async () => {
    await record(process(), STREAM, life());
    const [begun] = (await stored.loadMany([STREAM])).get(STREAM)!;
    const moved = { ...begun!, eventId: crypto.randomUUID() };
    await stored.append([{ streamId: STREAM, expected: 6, events: [moved] }]);
    const read = (await process().loadMany([STREAM])).get(STREAM)!;
    expect(JSON.stringify(read[0])).toContain(CANARY);
    expect(JSON.stringify(read[6])).not.toContain(CANARY);
  });
});
