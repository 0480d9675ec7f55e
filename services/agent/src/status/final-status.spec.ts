import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PodStatusMessage } from '#libs/contracts';
import { KubernetesError, type KubernetesApi, type PodObject, type Stored } from '#libs/kubernetes';
import { AsideItems, Metrics, silentLogger } from '#libs/observability';
import { SeededRandom, VirtualClock } from '#libs/runtime';
import { finalStatus } from './final-status.ts';
import { StatusBook } from './status-book.ts';
import { StatusWriter } from './status-writer.ts';

type Json = Record<string, unknown>;
const NOW = Date.UTC(2026, 0, 1);
const spec = {
  containers: [
    { name: 'web', image: 'nginx' },
    { name: 'side', image: 'busybox' },
  ],
  initContainers: [{ name: 'init', image: 'busybox' }],
};

const podWith = (status: Json, more: Json = {}): Stored<PodObject> => ({
  metadata: {
    name: 'p',
    namespace: 'n',
    uid: 'u',
    resourceVersion: '1',
    deletionTimestamp: '2026-01-01T00:00:00Z',
    ...more,
  },
  spec,
  status,
});
const named = (name: string, state: Json, more: Json = {}) => ({
  name,
  image: 'i',
  imageID: '',
  restartCount: 0,
  state,
  ...more,
});
const codes = (status: Json): unknown[] =>
  [...(status.containerStatuses as Json[]), ...(status.initContainerStatuses as Json[])].map(({ state }) => {
    const { terminated, waiting } = state as { terminated?: Json; waiting?: Json };
    return terminated?.exitCode ?? waiting?.reason ?? 'running';
  });
const running = { running: { startedAt: '2026-01-01T00:00:00Z' } };
const exit = (exitCode: number) => ({ terminated: { exitCode, reason: 'x' } });
const waits = (reason: string) => ({ waiting: { reason } });

describe('the end of a pod of which the control plane has none', () => {
  it.each<[string, Json, 'Succeeded' | 'Failed', unknown[]]>([
    ['a pod that nobody wrote about', { phase: 'Pending' }, 'Failed', Array(3).fill('ContainerCreating')],
    ['a pod without a status', {}, 'Failed', Array(3).fill('ContainerCreating')],
    ['a running pod of unknown containers', { phase: 'Running' }, 'Failed', [137, 137, 137]],
    [
      'a running pod',
      {
        phase: 'Running',
        containerStatuses: [named('web', running), named('side', exit(3))],
        initContainerStatuses: [named('init', exit(0))],
      },
      'Failed',
      [137, 3, 0],
    ],
    [
      'a pod whose containers have all ended well',
      {
        phase: 'Running',
        containerStatuses: [named('web', exit(0)), named('side', exit(0))],
        initContainerStatuses: [named('init', exit(0))],
      },
      'Succeeded',
      [0, 0, 0],
    ],
    [
      'containers that wait to be started once more',
      {
        phase: 'Running',
        containerStatuses: [
          named('web', waits('CrashLoopBackOff'), { lastState: exit(7), restartCount: 1 }),
          named('side', waits('CrashLoopBackOff'), { restartCount: 1 }),
        ],
        initContainerStatuses: [named('init', waits('PodInitializing'))],
      },
      'Failed',
      [7, 137, 'PodInitializing'],
    ],
  ])('is made from its object: %s', (_, status, phase, ends) => {
    const final = finalStatus(podWith(status), status, NOW);

    expect(final.phase).toBe(phase);
    expect(codes(final)).toEqual(ends);
  });

  it('leaves nothing running or ready and takes no code back, whatever was known', () => {
    const state = fc.constantFrom<Json>(running, exit(0), exit(3), waits('ErrImagePull'), {});
    const status = (name: string) =>
      fc.record({ name: fc.constant(name), state, lastState: fc.constantFrom({}, exit(5)), restartCount: fc.nat(2) });
    const lists = (...names: string[]) => fc.tuple(...names.map(status)).chain((all) => fc.subarray(all));
    fc.assert(
      fc.property(
        fc.constantFrom('Pending', 'Running', 'Unknown', undefined),
        lists('web', 'side'),
        lists('init'),
        (phase, containerStatuses, initContainerStatuses) => {
          const known = { ...(phase && { phase }), containerStatuses, initContainerStatuses };
          const final = finalStatus(podWith(known), known, NOW);

          expect(['Succeeded', 'Failed']).toContain(final.phase);
          expect(codes(final)).toHaveLength(3);
          expect(codes(final)).not.toContain('running');
          expect(final.phase === 'Succeeded').toBe(codes(final).every((code) => code === 0));
          for (const was of [...containerStatuses, ...initContainerStatuses]) {
            const code = (was.state as { terminated?: Json }).terminated?.exitCode;
            const is = [...(final.containerStatuses as Json[]), ...(final.initContainerStatuses as Json[])];
            if (code !== undefined)
              expect(is.find(({ name }) => name === was.name)?.state).toMatchObject({ terminated: { exitCode: code } });
          }
          for (const { type, status: is } of final.conditions as Json[]) if (type === 'Ready') expect(is).toBe('False');
          expect(finalStatus(podWith(final), final, NOW)).toEqual(final);
        },
      ),
    );
  });
});

/** An API server with one pod, and everything that was asked of it, in order. */
function worldOf(pod: Stored<PodObject>, refuses: (phase: unknown, nth: number) => boolean = () => false) {
  const clock = new VirtualClock(NOW);
  const asked: string[] = [];
  const pods = new Map([['u', pod]]);
  const book = new StatusBook();
  let patches = 0;
  const api = {
    patch: (_: unknown, __: unknown, ___: unknown, patch: { status?: Json }) => {
      const phase = patch.status?.phase ?? null;
      asked.push(`PATCH ${String(phase)}`);
      if (refuses(phase, ++patches))
        return Promise.reject(new KubernetesError({ request: 'PATCH', status: 422, reason: 'Invalid', detail: '' }));
      return Promise.resolve();
    },
    delete: () => {
      asked.push('DELETE');
      return Promise.resolve();
    },
  } as unknown as KubernetesApi;
  const writer = new StatusWriter({
    api,
    book,
    pods: { get: (uid) => pods.get(uid) },
    clock,
    random: new SeededRandom(1),
    logger: silentLogger,
    metrics: new Metrics(),
    nodeName: 'n',
    aside: new AsideItems({ loop: 'statuses', clock, logger: silentLogger, metrics: new Metrics() }),
  });
  writer.resume();
  const say = async (more: Partial<PodStatusMessage>) => {
    writer.onMessage({
      kind: 'PodStatus',
      schemaVersion: 1,
      podUid: 'u',
      namespace: 'n',
      name: 'p',
      revision: 1,
      annotations: {},
      finalize: true,
      events: [],
      ...more,
    });
    await clock.advance(0);
  };
  return { asked, say, pods, writer, clock };
}

const failed = {
  phase: 'Failed',
  conditions: [],
  containerStatuses: [named('web', exit(137)), named('side', exit(137))],
};

describe('an object that may go', () => {
  it.each<[string, Partial<PodStatusMessage>]>([
    ['the control plane says how it ended', { status: failed }],
    ['the control plane never knew it', {}],
    ['a control plane of an earlier version says that it runs', { status: { ...failed, phase: 'Running' } }],
  ])('gets a final phase first: %s', async (_, message) => {
    const { asked, say } = worldOf(podWith({ phase: 'Running' }));

    await say(message);

    expect(asked).toEqual(['PATCH Failed', 'DELETE']);
  });

  it('gets it also when its finalizers keep it, and is told once', async () => {
    const { asked, say, pods, writer, clock } = worldOf(podWith({ phase: 'Running' }, { finalizers: ['a/b'] }));
    await say({ status: failed });
    const previous = pods.get('u')!;
    pods.set('u', podWith(failed, { finalizers: ['a/b'], resourceVersion: '2', deletionGracePeriodSeconds: 0 }));

    writer.onChange({ kind: 'modified', object: pods.get('u')!, previous });
    await clock.advance(0);

    expect(asked.filter((request) => request !== 'DELETE')).toEqual(['PATCH Failed']);
    expect(asked.indexOf('DELETE')).toBe(1);
  });

  it('keeps the phase that it ended in', async () => {
    const { asked, say } = worldOf(podWith({ phase: 'Succeeded' }));

    await say({ status: { ...failed, phase: 'Running' } });

    expect(asked).not.toContain('PATCH Failed');
    expect(asked.at(-1)).toBe('DELETE');
  });

  it('gets an end of our own when the API server refuses the one it was told', async () => {
    const { asked, say } = worldOf(podWith({ phase: 'Running' }), (_, nth) => nth <= 2);

    await say({ status: failed });

    expect(asked).toEqual(['PATCH Failed', 'PATCH Failed', 'PATCH Failed', 'DELETE']);
  });

  it('gets nothing made up while nobody deletes it', async () => {
    const { deletionTimestamp: _, ...metadata } = podWith({}).metadata;
    const { asked, say } = worldOf({ ...podWith({ phase: 'Running' }), metadata });

    await say({});

    expect(asked).not.toContain('PATCH Failed');
    expect(asked).not.toContain('DELETE');
  });
});
