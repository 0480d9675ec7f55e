import { describe, expect, it } from 'vitest';
import { Scene } from './scene.ts';

describe('a pod that the system ends', { timeout: 120_000 }, () => {
  it('says that its deadline was exceeded, and not how its container ended', async () => {
    const scene = new Scene(['deadline']);

    await scene.minutes(3);

    const { status } = scene.of(0).at(-1)!.pod;
    expect(status).toMatchObject({
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
    expect(scene.events(0).find(({ reason }) => reason === 'ContainerGroupFailed')!.message).toBe(
      'DeadlineExceeded: Pod was active on the node longer than the specified deadline',
    );
  });

  it('says so when the cloud does not tell at first', async () => {
    const scene = new Scene(['deadline']);
    await scene.minutes(1);
    scene.refuse('cloud.DescribeContainerGroups', 25_000);

    await scene.minutes(2);

    const { status } = scene.of(0).at(-1)!.pod;
    expect(scene.events(0).map(({ reason }) => reason)).toContain('DeadlineExceeded');
    expect(status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('has its end even when the cloud never tells why', async () => {
    const scene = new Scene(['pending-limit']);
    await scene.minutes(9);
    scene.refuse('cloud.DescribeContainerGroups', 600_000);

    await scene.minutes(3);

    expect(scene.of(0).at(-1)!.pod.status).toMatchObject({ phase: 'Failed' });
  });

  it('says that it was Pending for too long', async () => {
    const scene = new Scene(['pending-limit']);

    await scene.minutes(12);

    const { status } = scene.of(0).at(-1)!.pod;
    expect(status).toMatchObject({ phase: 'Failed', reason: 'PendingTimeout' });
    expect(status?.['message']).toMatch(/Pending for too long/);
  });

  it('leaves the reason to a container that failed before', async () => {
    const scene = new Scene(['fails-before-deadline']);

    await scene.minutes(3);

    const { status } = scene.of(0).at(-1)!.pod;
    expect(status).toMatchObject({
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { exitCode: 3, reason: 'Error' } } }],
    });
    expect(status?.['reason']).toBeUndefined();
  });
});
