import { describe, expect, it } from 'vitest';
import { NO_IMAGE } from './parts/workload.ts';
import { Scene, type Seen } from './scene.ts';

interface Container {
  readonly name: string;
  readonly restartCount: number;
  readonly state: Readonly<Record<string, { readonly reason?: string }>>;
}

const initsOf = ({ pod }: Seen): readonly Container[] =>
  (pod.status?.['initContainerStatuses'] ?? []) as readonly Container[];
/** `i1 terminated, i2 running, i3 waiting` */
const pictureOf = (seen: Seen): string =>
  initsOf(seen)
    .map(({ name, state }) => `${name} ${Object.keys(state).join()}`)
    .join(', ');

describe('a pod that is long in starting', { timeout: 120_000 }, () => {
  it('shows each of its init containers while it runs', async () => {
    const scene = new Scene(['three-inits']);

    await scene.minutes(2);

    const pictures = scene.of(0).map(pictureOf);
    const order = pictures.filter((picture, index) => picture !== '' && picture !== pictures[index - 1]);
    expect(order.slice(-4)).toEqual([
      'i1 running, i2 waiting, i3 waiting',
      'i1 terminated, i2 running, i3 waiting',
      'i1 terminated, i2 terminated, i3 running',
      'i1 terminated, i2 terminated, i3 terminated',
    ]);
    const [first, last] = [order.at(-4), order.at(-1)].map((p) => scene.of(0).find((seen) => pictureOf(seen) === p)!);
    expect(last!.at - first!.at).toBeLessThan(60_000);
  });

  it('shows how often its init container was restarted, and that it waits for the next time', async () => {
    const scene = new Scene(['init-crash-loop']);

    await scene.minutes(5);

    const counts = scene.of(0).map((seen) => initsOf(seen)[0]?.restartCount ?? 0);
    expect(counts.at(-1)).toBeGreaterThanOrEqual(4);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(initsOf(scene.of(0).at(-1)!)[0]!.state).toMatchObject({ waiting: { reason: 'CrashLoopBackOff' } });
    expect(scene.events(0).map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['Created', 'Started', 'BackOff']),
    );
  });

  it('tells why its image does not come, and counts on, at the cost of a few events', async () => {
    const scene = new Scene(['no-image']);

    await scene.minutes(2);
    const told = scene.events(0).map(({ type, reason, message }) => `${type} ${reason} ${message}`);
    expect(told).toContain(`Warning Failed Failed to pull image "${NO_IMAGE}"`);
    expect(told).toContain(`Normal BackOff Back-off pulling image "${NO_IMAGE}"`);

    await scene.minutes(120);
    const backOff = scene.events(0).find(({ reason }) => reason === 'BackOff')!;
    expect(backOff.count).toBeGreaterThan(16);
    expect(scene.eventsInStream(0)).toBeLessThan(40);
  });

  it('tells of a container that has started, and is then left alone', async () => {
    const scene = new Scene(['service']);

    await scene.minutes(2);
    expect(scene.events(0).map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['Pulled', 'Created', 'Started']),
    );

    const before = scene.calls('DescribeContainerGroups');
    await scene.minutes(60);
    // The inventories only: one in five minutes.
    expect(scene.calls('DescribeContainerGroups') - before).toBeLessThan(20);
  });

  it('costs a bounded number of calls, however many there are', async () => {
    const scene = new Scene(Array.from({ length: 60 }, () => 'no-image' as const));
    await scene.minutes(5);

    const before = scene.calls('DescribeContainerGroups');
    await scene.minutes(10);

    // Each is read once a minute at most, twenty in one call; rounds are never more than thirty a minute.
    expect((scene.calls('DescribeContainerGroups') - before) / 10).toBeLessThan(30);
  });
});
