/** The patches that the agent makes of statuses, before a real API server and its strategic merge: what is stored is what was meant. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { podStatusOf, type PodObject, type Stored } from '#libs/kubernetes';
import { PodsWithoutKubelet, sharedKubernetes } from '#libs/testing';
import {
  accepted,
  chosen,
  container,
  created,
  landed,
  refusedFor,
  running,
  seen,
  stateOf,
} from '../../libs/kubernetes/spec/status-samples.ts';
import { statusPatch } from '../../services/agent/src/status/status-patch.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly lastTransitionTime: string;
  readonly reason?: string;
  readonly message?: string;
}
type Status = Readonly<Record<string, unknown>> & { readonly conditions: readonly Condition[] };

let pods: PodsWithoutKubelet;

beforeAll(async () => {
  pods = await PodsWithoutKubelet.in(await sharedKubernetes());
});
afterAll(() => pods?.close());

const intent = accepted({ init: true });
const story = [intent, chosen(), created(), seen('Pending'), landed, running()];
const started = stateOf(...story);
const crashed = container('web', {
  ready: false,
  restartCount: 1,
  state: { state: 'waiting', reason: 'CrashLoopBackOff', message: 'back-off 10s' },
});
/** Moments in the life of one pod that runs for ever. */
const MOMENTS: Readonly<Record<string, Status>> = Object.fromEntries(
  Object.entries({
    'nothing of it was seen': stateOf(intent),
    'no zone has stock': stateOf(intent, chosen(), refusedFor('STOCK_OUT')),
    'it is being started': stateOf(intent, chosen(), created(), seen('Pending')),
    'it is ready': started,
    'its container crashed': stateOf(...story, running({ containers: [crashed, container('side')] })),
    'it has moved to another host': stateOf(...story, running({ podIp: '172.16.9.9' })),
    'its host failed': stateOf(
      ...story,
      seen('Restarting', {
        conditions: [
          {
            type: 'SandboxReady',
            status: 'False',
            reason: 'SystemFailure.Reboot',
            message: 'the host is restarted',
            lastTransitionTime: '2026-11-23T11:00:00Z',
          },
        ],
      }),
    ),
    'its host is back': stateOf(
      ...story,
      running({
        conditions: [
          {
            type: 'SandboxReady',
            status: 'True',
            reason: 'SystemFailure.Reboot',
            message: 'the host is restarted',
            lastTransitionTime: '2026-11-23T11:05:00Z',
          },
        ],
      }),
    ),
  }).map(([moment, state]) => [moment, podStatusOf(state) as unknown as Status]),
);

class LivePod {
  private static count = 0;
  private readonly path: string;

  private constructor(name: string) {
    this.path = pods.pathOf(name);
  }

  static async create(): Promise<LivePod> {
    const name = `moments-${++LivePod.count}`;
    const of = (each: string) => ({ name: each, image: 'nginx' });
    await pods.create(name, { initContainers: [of('init')], containers: [of('web'), of('side')] });
    return new LivePod(name);
  }

  read(): Promise<Stored<PodObject>> {
    return pods.api.call('GET', this.path) as Promise<Stored<PodObject>>;
  }

  /** What `kubectl debug` asks of the API server. */
  async debug(name: string): Promise<void> {
    const ephemeralContainers = [{ name, image: 'busybox' }];
    const answer = await pods.api.ask('PATCH', `${this.path}/ephemeralcontainers`, {
      spec: { ephemeralContainers },
    });
    expect(answer.status).toBe(200);
  }

  /** Writes a status as the agent does, and answers what is stored then. */
  async show(status: Status): Promise<Status> {
    const patch = statusPatch(await this.read(), { status, annotations: {} });
    if (patch) {
      const answer = await pods.api.ask('PATCH', `${this.path}/status`, patch, { patch: 'strategic-merge' });
      expect(answer.body.message).toBeUndefined();
    }
    return (await this.read()).status as unknown as Status;
  }
}

const byType = ({ conditions }: Status, types: ReadonlySet<string>): readonly Condition[] =>
  conditions
    .filter(({ type }) => types.has(type))
    .map(({ type, status, lastTransitionTime, reason, message }) => ({
      type,
      status,
      lastTransitionTime,
      ...(reason !== undefined && { reason }),
      ...(message !== undefined && { message }),
    }))
    .toSorted((a, b) => (a.type < b.type ? -1 : 1));

describe('the status of a pod in a real API server', () => {
  it('is what was meant, after whatever moments in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(Object.keys(MOMENTS), { minLength: 3 }), async (moments) => {
        const pod = await LivePod.create();
        for (const moment of moments) {
          const wanted = MOMENTS[moment]!;
          const stored = await pod.show(wanted);
          const types = new Set(wanted.conditions.map(({ type }) => type));
          expect(byType(stored, types), moment).toEqual(byType(wanted, types));
          for (const field of ['hostIP', 'hostIPs', 'podIP', 'podIPs', 'reason', 'message', 'phase'])
            expect(stored[field], `${field} when ${moment}`).toEqual(wanted[field]);
          // It is shown: there is nothing to write any more.
          expect(statusPatch(await pod.read(), { status: wanted, annotations: {} }), moment).toBeUndefined();
        }
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  it('answers kubectl debug with a container that has ended, and the pod goes on', async () => {
    const pod = await LivePod.create();
    const ready = MOMENTS['it is ready']!;
    await pod.show(ready);
    await pod.debug('debugger');

    const stored = await pod.show(ready);

    expect(stored).toMatchObject({
      phase: 'Running',
      ephemeralContainerStatuses: [
        { name: 'debugger', state: { terminated: { exitCode: 1, reason: 'NotSupported' } } },
      ],
    });
    expect(statusPatch(await pod.read(), { status: ready, annotations: {} })).toBeUndefined();
  });

  it('has no reason of what is over once the pod is ready, and the times at which it became so', async () => {
    const pod = await LivePod.create();
    for (const moment of ['no zone has stock', 'it is being started', 'its host failed'])
      await pod.show(MOMENTS[moment]!);

    const { conditions } = await pod.show(MOMENTS['it is ready']!);

    const met = conditions.filter(({ status }) => status === 'True');
    expect(met.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['Ready', 'ContainersReady', 'Initialized', 'ContainerInstanceCreated']),
    );
    for (const { type, reason, message } of met) expect({ type, reason, message }).toEqual({ type });
    const time = (type: string) => conditions.find((each) => each.type === type)?.lastTransitionTime;
    expect(time('PodScheduled')).toBe('2026-11-23T10:00:00Z');
    expect(time('ContainerInstanceCreated')).toBe('2026-11-23T10:00:02Z');
    expect(time('Initialized')).toBe('2026-11-23T10:00:05Z');
    expect(time('Ready')).toBe('2026-11-23T10:00:05Z');
  });
});
