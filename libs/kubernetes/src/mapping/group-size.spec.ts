import { describe, expect, it } from 'vitest';
import { mapPod } from './map-pod.ts';
import { inputOf, mapped, nginxContainer, refusalOf } from '../../spec/pod-samples.ts';

describe('size', () => {
  const resources = (limits: object | undefined, requests?: object) => ({
    ...(limits && { limits }),
    ...(requests && { requests }),
  });
  const container = (name: string, of: object, env: object[] = []) => nginxContainer({ name, resources: of, env });

  it.each([
    {
      what: 'limits, summed',
      containers: [
        container('a', resources({ cpu: '1', memory: '1Gi' })),
        container('b', resources({ cpu: '500m', memory: '1Gi' })),
      ],
      specs: ['2-2Gi'],
    },
    {
      what: 'requests where there is no limit',
      containers: [container('a', resources(undefined, { cpu: '250m', memory: '512Mi' }))],
      specs: ['0.25-0.5Gi'],
    },
    {
      what: 'a limit that differs from the request',
      containers: [container('a', resources({ cpu: '2', memory: '4Gi' }, { cpu: '100m', memory: '128Mi' }))],
      specs: ['2-4Gi'],
    },
    { what: 'only memory', containers: [container('a', resources({ memory: '3Gi' }))], specs: ['1-4Gi'] },
    { what: 'only cpu', containers: [container('a', resources({ cpu: '4' }))], specs: ['4-2Gi'] },
    { what: 'nothing', containers: [container('a', {})], specs: ['2-4Gi'] },
    {
      what: 'all but a container that is left out',
      containers: [
        container('a', resources({ cpu: '1', memory: '2Gi' })),
        container('b', resources({ cpu: '1', memory: '2Gi' }), [{ name: '__ECI_RESOURCE_IGNORE__', value: 'TRUE' }]),
      ],
      specs: ['1-2Gi'],
    },
  ])('comes from $what', ({ containers, specs }) => {
    expect(mapped(mapPod(inputOf({ containers }))).need.specs).toEqual(specs);
  });

  it('is at least that of the largest init container', () => {
    const initContainers = [
      container('i', resources({ cpu: '4', memory: '1Gi' })),
      container('j', resources({ cpu: '1', memory: '8Gi' })),
    ];
    const containers = [container('a', resources({ cpu: '1', memory: '2Gi' }))];
    expect(mapped(mapPod(inputOf({ containers, initContainers }))).need.specs).toEqual(['4-8Gi']);
  });

  it('is that of the whole pod where stated', () => {
    const { need } = mapped(mapPod(inputOf({ resources: resources({ cpu: '8', memory: '16Gi' }) })));
    expect(need.specs).toEqual(['8-16Gi']);
  });

  it('gives each container its own figures, never more than stated', () => {
    const { spec } = mapped(
      mapPod(inputOf({ containers: [container('a', resources({ cpu: '100m', memory: '100Mi' }))] })),
    );
    expect(spec.containers[0]).toMatchObject({ cpu: 0.1, memoryGiB: 0.097 });
  });

  it('adds ephemeral storage beyond what every group has', () => {
    const containers = [
      container('a', resources({ 'ephemeral-storage': '25Gi' })),
      container('b', resources({ 'ephemeral-storage': '15Gi' })),
    ];
    expect(mapped(mapPod(inputOf({ containers }))).spec.ephemeralStorageGiB).toBe(10);
    expect(mapped(mapPod(inputOf({ containers: [containers[0]] }))).spec.ephemeralStorageGiB).toBeUndefined();
  });

  it('of a GPU pod needs an instance type', () => {
    const containers = [container('a', resources({ 'nvidia.com/gpu': '1' }))];
    expect(refusalOf(inputOf({ containers }))).toContain('spec.containers: ask for a GPU');
    const annotations = { 'k8s.aliyun.com/eci-use-specs': 'ecs.gn6i-c4g1.xlarge' };
    const { spec, need } = mapped(mapPod(inputOf({ containers }, { metadata: { annotations } })));
    expect(spec.containers[0]!.gpu).toBe(1);
    expect(need.specs).toEqual(['ecs.gn6i-c4g1.xlarge']);
  });
});
