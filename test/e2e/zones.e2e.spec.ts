import { eventually } from '#libs/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { useFleet, VSWITCHES, ZONES } from './support/fleet.ts';

const fleet = useFleet();
const run = (name: string): Promise<string> =>
  fleet.pods.kubectl('run', name, '--image', 'nginx', '-l', 'alibabacloud.com/eci=true');
const everywhere = (capacity: number | null): Record<string, number | null> =>
  Object.fromEntries(ZONES.map((zone) => [zone, capacity]));

describe('zones and their stock', () => {
  beforeEach(async () => {
    await fleet.simulator.control('DELETE', '/stock');
    await fleet.simulator.control('PATCH', '/settings', { asynchronousStockFailure: 0 });
  });

  it('runs a pod in another zone when the first has no stock, and says which were tried', async () => {
    // given a first zone that is sold out
    await fleet.simulator.stock({ [ZONES[0]]: 0 });

    // when a pod is made
    await run('elsewhere');

    // then it runs in the second, and history and events name what was tried, in which order, and why
    const { metadata } = await fleet.pods.untilPhase('elsewhere', 'Running');
    expect(await fleet.simulator.groupsOf(metadata.uid)).toMatchObject([{ zone: ZONES[1] }]);
    const events = await fleet.untilHistory(metadata.uid, 'ContainerGroupLanded');
    const chosen = events.find(({ type }) => type === 'PlacementChosen')!.data;
    expect(chosen.candidates.map(({ vSwitchId }: { vSwitchId: string }) => vSwitchId)).toEqual([...VSWITCHES]);
    for (const candidate of chosen.candidates) expect(candidate.reason).toEqual(expect.stringMatching(/./));
    expect(chosen.why).not.toEqual([]);
    expect(events.find(({ type }) => type === 'ContainerGroupLanded')!.data).toMatchObject({
      zone: ZONES[1],
      vSwitchId: VSWITCHES[1],
    });
    const landed = await fleet.pods.untilEvent('elsewhere', 'ContainerGroupLanded');
    expect(landed.message).toContain(ZONES[1]);
  });

  it('tells a pod that spreads over zones by force that one node for several zones never fits it', async () => {
    // given a pod for the virtual node that no scheduler can bind
    const topologySpreadConstraints = [
      {
        topologyKey: 'topology.kubernetes.io/zone',
        maxSkew: 1,
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'spread' } },
      },
    ];
    await fleet.pods.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'spread', labels: { app: 'spread', 'alibabacloud.com/eci': 'true' } },
      spec: { containers: [{ name: 'web', image: 'nginx' }], topologySpreadConstraints },
    });

    // then it is said on the pod, which waits
    const event = await fleet.pods.untilEvent('spread', 'NeverFitsVirtualNode', { deadlineMs: 90_000 });
    expect(event).toMatchObject({ type: 'Warning', message: expect.stringContaining('ScheduleAnyway') });
    expect((await fleet.pods.get('spread')).spec.nodeName).toBeUndefined();
    await fleet.pods.kubectl('delete', 'pod', 'spread', '--wait=false');
  });

  it('parks a pod when no zone has stock, shows it, and starts it when stock returns', async () => {
    // given nothing to be had anywhere
    await fleet.simulator.stock(everywhere(0));

    // when a pod is made
    await run('patient');

    // then it waits, and whoever asks is told for what
    await fleet.pods.untilEvent('patient', 'Parked');
    const { metadata, status } = await fleet.pods.until('patient', 'says that it waits', (pod) => pod.status.message);
    expect(status.phase).toBe('Pending');
    const waiting = status.conditions.find(({ type }: { type: string }) => type === 'ContainerInstanceCreated');
    expect(waiting).toMatchObject({ status: 'False', reason: 'NoStock' });
    const described = await fleet.pods.kubectl('describe', 'pod', 'patient');
    expect(described).toContain('NoStock');
    for (const vSwitch of VSWITCHES) expect(described).toContain(vSwitch);
    const shown = await fleet.api.get(`/container-groups/${encodeURIComponent(`${fleet.clusterId}/${metadata.uid}`)}`);
    expect(shown).toMatchObject({ life: 'parked', phase: 'Pending', parked: { gate: { kind: 'capacity' } } });
    await eventually(async () => (await fleet.api.get('/container-groups?life=parked')).items.length === 1, {
      what: 'the list shows it as parked',
    });
    expect((await fleet.simulator.groupsOf(metadata.uid)).filter(({ status: s }) => s !== 'ScheduleFailed')).toEqual(
      [],
    );

    // when stock returns
    await fleet.simulator.control('DELETE', '/stock');

    // then it starts by itself, as one group
    await fleet.pods.untilPhase('patient', 'Running', { deadlineMs: 90_000 });
    expect(await fleet.simulator.groupsOf(metadata.uid)).toHaveLength(1);
    const types = (await fleet.history(metadata.uid)).map(({ type }) => type);
    expect(types.indexOf('Unparked')).toBeGreaterThan(types.indexOf('Parked'));
    expect(types).toContain('CreateRefused');
  });

  it('tries again when a group that was accepted finds no place after all', async () => {
    // given creates that are accepted, and fail later for want of stock
    await fleet.simulator.control('PATCH', '/settings', { asynchronousStockFailure: 1 });
    await fleet.simulator.stock(everywhere(0));
    await run('second-try');
    const { metadata } = await fleet.pods.until('second-try', 'is bound', (pod) => pod.spec.nodeName);
    await fleet.untilHistory(metadata.uid, 'SchedulingFailed');

    // when there is stock again
    await fleet.simulator.control('DELETE', '/stock');

    // then another attempt runs, and the first is known to have failed
    await fleet.pods.untilPhase('second-try', 'Running', { deadlineMs: 90_000 });
    const groups = await fleet.simulator.groupsOf(metadata.uid);
    const open = groups.filter(({ status }) => status === 'Running');
    expect(open).toHaveLength(1);
    expect(Number(open[0]!.tags['eci-fleet-attempt'])).toBeGreaterThan(1);
    expect(groups[0]).toMatchObject({ tags: { 'eci-fleet-attempt': '1' } });
    expect(groups[0]!.history.map(({ status }) => status)).toContain('ScheduleFailed');
    expect(new Set(groups.map(({ tags }) => tags['eci-fleet-attempt'])).size).toBe(groups.length);
  });

  it('lets a pod that waits have a profile that was changed meanwhile', async () => {
    // given a profile with one zone, which has no stock, and a pod that waits for it
    const profile = (vSwitchIds: string): Promise<void> =>
      fleet.pods.apply({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'eci-profile', namespace: 'kube-system' },
        data: { vSwitchIds },
      });
    await fleet.simulator.stock({ [ZONES[2]]: 0 });
    await profile(VSWITCHES[2]);
    const under = async (name: string): Promise<string[]> => {
      await run(name);
      const { metadata } = await fleet.pods.until(name, 'is bound', ({ spec }) => spec.nodeName);
      const [accepted] = await fleet.untilHistory(metadata.uid, 'PodIntentAccepted');
      return accepted!.data.clearPod.resolved.profile.vSwitchIds;
    };
    let rounds = 0;
    await eventually(async () => (await under(`one-zone-${++rounds}`)).length === 1, {
      what: 'the profile is in force',
      deadlineMs: 30_000,
    });
    const name = `one-zone-${rounds}`;
    await fleet.pods.untilEvent(name, 'Parked');

    // when somebody adds a zone
    await profile(`${VSWITCHES[2]},${VSWITCHES[3]}`);

    // then the pod starts there
    const { metadata } = await fleet.pods.untilPhase(name, 'Running', { deadlineMs: 90_000 });
    expect(await fleet.simulator.groupsOf(metadata.uid)).toMatchObject([{ zone: ZONES[3] }]);
    expect((await fleet.history(metadata.uid)).map(({ type }) => type)).toContain('PodIntentRefreshed');
  });
});
