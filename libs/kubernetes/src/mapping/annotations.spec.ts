import { describe, expect, it } from 'vitest';
import { mapPod } from './map-pod.ts';
import { inputOf, mapped, nginxContainer } from '../../spec/pod-samples.ts';

describe('annotations', () => {
  const steer = (annotations: Record<string, string>) =>
    mapPod(
      inputOf(
        {},
        {
          metadata: {
            annotations: Object.fromEntries(
              Object.entries(annotations).map(([key, value]) => [`k8s.aliyun.com/${key}`, value]),
            ),
          },
        },
      ),
    );

  it('steer where and how the group runs', () => {
    const { spec, need } = mapped(
      steer({
        'eci-vswitch': 'vsw-a, vsw-b',
        'eci-security-group': 'sg-a,sg-b',
        'eci-resource-group-id': 'rg-1',
        'eci-schedule-strategy': 'VSwitchOrdered',
        'eci-use-specs': '2-4Gi,4-8Gi,ecs.c6.xlarge',
        'eci-fail-strategy': 'fail-fast',
        'eci-spot-strategy': 'SpotWithPriceLimit',
        'eci-spot-price-limit': '0.5',
        'eci-spot-duration': '0',
        'eci-spot-fallback': 'true',
        'eci-custom-tags': 'env:test,owner:li:x',
        'eci-custom-hosts': '[{"host":"a.local","ip":"10.0.0.9"}]',
        'eci-ram-role-name': 'MyRole',
        'eci-max-pending-minute': '60',
        'eci-extra-ephemeral-storage': '50Gi',
        'eci-auto-imc': 'true',
        'eci-imc-id': 'imc-1',
      }),
    );
    expect(need).toMatchObject({
      vSwitches: [{ vSwitchId: 'vsw-a' }, { vSwitchId: 'vsw-b' }],
      scheduleStrategy: 'VSwitchOrdered',
      specs: ['2-4Gi', '4-8Gi', 'ecs.c6.xlarge'],
      failStrategy: 'fail-fast',
      chargeType: 'spot',
      spotFallback: true,
    });
    expect(spec).toMatchObject({
      securityGroupIds: ['sg-a', 'sg-b'],
      resourceGroupId: 'rg-1',
      scheduleStrategy: 'VSwitchOrdered',
      spot: { strategy: 'SpotWithPriceLimit', priceLimit: 0.5, durationHours: 0 },
      tags: { env: 'test', owner: 'li:x' },
      hostAliases: [{ ip: '10.0.0.9', hostnames: ['a.local'] }],
      ramRoleName: 'MyRole',
      maxPendingMinutes: 60,
      ephemeralStorageGiB: 50,
      autoMatchImageCache: true,
      imageSnapshotId: 'imc-1',
    });
  });

  it.each([
    [{ 'eci-fail-strategy': 'fail-over' }, 'fail-back'],
    [{ 'pod-fail-on-create-err': 'true' }, 'fail-fast'],
    [{ 'eci-reschedule-enable': 'false' }, 'fail-fast'],
    [{ 'eci-reschedule-enable': 'true' }, 'fail-back'],
    [{ 'eci-fail-strategy': 'fail-back', 'pod-fail-on-create-err': 'true' }, 'fail-back'],
  ])('%j is %s', (annotations, strategy) => {
    expect(mapped(steer(annotations as Record<string, string>)).need.failStrategy).toBe(strategy);
  });

  it('come from the sealed part when the agent sealed them', () => {
    const input = inputOf(
      {},
      { metadata: { annotations: { note: null } }, sealed: { annotations: { note: 'secret words' } } },
    );
    const env = [{ name: 'NOTE', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['note']" } } }];
    const { spec } = mapped(
      mapPod({ ...input, pod: { ...input.pod, spec: { ...input.pod.spec, containers: [nginxContainer({ env })] } } }),
    );
    expect(spec.containers[0]!.env).toEqual([{ name: 'NOTE', value: 'secret words' }]);
  });

  it.each([
    [{ 'eci-with-eip': 'true' }, "metadata.annotations['k8s.aliyun.com/eci-with-eip']: addresses"],
    [{ 'eci-brand-new': 'x' }, "metadata.annotations['k8s.aliyun.com/eci-brand-new']: is not known"],
    [{ 'eci-fail-strategy': 'fail-slow' }, 'must be one of fail-back, fail-over, fail-fast'],
    [{ 'eci-use-specs': 'huge' }, 'must be sizes such as 2-4Gi'],
    [{ 'eci-vswitch': Array.from({ length: 11 }, (_, n) => `vsw-${n}`).join(',') }, 'must name 1 to 10'],
    [{ 'eci-spot-strategy': 'SpotWithPriceLimit' }, 'SpotWithPriceLimit needs it'],
    [{ 'eci-spot-strategy': 'SpotWithPriceLimit', 'eci-spot-price-limit': '0.12345' }, 'at most 3 decimals'],
    [{ 'eci-max-pending-minute': '5' }, 'must be a whole number from 10 to 1440'],
    [{ 'eci-custom-tags': 'aliyun-x:y' }, 'must be key:value pairs'],
    [{ 'eci-custom-tags': 'eci-fleet-pod-uid:y' }, 'must be key:value pairs'],
    [{ 'eci-custom-tags': 'a:1,b:2,c:3,d:4' }, 'at most 3 tags'],
    [{ 'eci-custom-hosts': '{"host":1}' }, 'must be a JSON list'],
    [{ 'eci-extra-ephemeral-storage': '6000Gi' }, 'at most 5000Gi'],
  ])('%j refuses the pod', (annotations, reason) => {
    const result = steer(annotations as Record<string, string>);
    expect(result.ok ? 'mapped' : `${result.field}: ${result.reason}`).toContain(reason);
  });

  it('that ask for nothing, or are the system’s own, do no harm', () => {
    const { ignored } = mapped(steer({ 'eci-with-eip': 'false', 'eci-brand-new': '', 'eci-instance-id': 'eci-1' }));
    expect(ignored.map(({ field }) => field)).toEqual(["metadata.annotations['k8s.aliyun.com/eci-instance-id']"]);
  });
});
