import { describe, expect, it } from 'vitest';
import { mapPod } from './map-pod.ts';
import { inputOf, mapped, nginxContainer, refusalOf } from '../../spec/pod-samples.ts';

describe('probes and hooks', () => {
  const ports = [{ name: 'web', containerPort: 8080, protocol: 'TCP' }];
  const defaults = { failureThreshold: 3, periodSeconds: 10, successThreshold: 1, timeoutSeconds: 1 };
  const map = (container: Record<string, unknown>) =>
    mapPod(inputOf({ containers: [nginxContainer({ ports, ...container })] }));

  it('are taken with named ports resolved', () => {
    const { spec } = mapped(
      map({
        livenessProbe: { ...defaults, httpGet: { path: '/live', port: 'web', scheme: 'HTTP' }, initialDelaySeconds: 5 },
        readinessProbe: { ...defaults, tcpSocket: { port: 8080 } },
        lifecycle: {
          postStart: { httpGet: { path: '/up', port: 'web', scheme: 'HTTPS', host: 'h' } },
          preStop: { sleep: { seconds: 5 } },
        },
      }),
    );
    expect(spec.containers[0]).toMatchObject({
      ports: [{ port: 8080, protocol: 'TCP' }],
      liveness: {
        ...defaults,
        initialDelaySeconds: 5,
        handler: { kind: 'http', path: '/live', port: 8080, scheme: 'HTTP' },
      },
      readiness: { ...defaults, handler: { kind: 'tcp', port: 8080 } },
      postStart: { kind: 'http', path: '/up', port: 8080, scheme: 'HTTPS', host: 'h' },
      preStop: { kind: 'exec', command: ['sleep', '5'] },
    });
  });

  it('approximate a startup probe and say so', () => {
    const { spec, ignored } = mapped(
      map({
        startupProbe: { ...defaults, failureThreshold: 30, initialDelaySeconds: 2, exec: { command: ['up'] } },
        livenessProbe: { ...defaults, exec: { command: ['live'] } },
      }),
    );
    expect(spec.containers[0]).toMatchObject({
      liveness: { initialDelaySeconds: 302, handler: { command: ['live'] } },
      readiness: { handler: { command: ['up'] } },
    });
    expect(ignored).toEqual([
      {
        field: 'spec.containers[0].startupProbe',
        reason: 'ECI has no startup probe: liveness begins after 302 s, and the startup probe decides readiness',
      },
    ]);
  });

  it.each([
    [{ livenessProbe: { httpGet: { port: 'nope' } } }, 'livenessProbe.httpGet.port: names no port'],
    [
      { livenessProbe: { httpGet: { port: 80, host: 'x' } } },
      'livenessProbe.httpGet.host: probes of ECI always ask the pod itself',
    ],
    [
      { readinessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'a', value: 'canary' }] } } },
      'readinessProbe.httpGet.httpHeaders: probes of ECI cannot send headers',
    ],
    [{ readinessProbe: { grpc: { port: 80 } } }, 'readinessProbe.grpc: ECI has no grpc probe'],
    [
      { readinessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 } },
      'readinessProbe.successThreshold: must be 1',
    ],
    [{ readinessProbe: {} }, 'readinessProbe: states nothing to do'],
    [{ readinessProbe: { tcpSocket: { port: 80 }, exec: { command: ['a'] } } }, 'readinessProbe: states more than one'],
    [{ livenessProbe: { exec: { command: [] } } }, 'livenessProbe.exec.command: is empty'],
    [
      { startupProbe: { tcpSocket: { port: 80 } } },
      'startupProbe: ECI has no startup probe, and without a livenessProbe',
    ],
    [
      { lifecycle: { preStop: { httpGet: { port: 80, httpHeaders: [{ name: 'a', value: 'b' }] } } } },
      'lifecycle.preStop.httpGet.httpHeaders',
    ],
    [{ ports: [{ containerPort: 10250 }] }, 'ports[0].containerPort: 10250 is used by ECI itself'],
    [{ ports: [{ containerPort: 80, hostPort: 80 }] }, 'ports[0].hostPort: ECI has no host ports'],
    [{ ports: [{ containerPort: 80, protocol: 'SCTP' }] }, 'ports[0].protocol: must be TCP or UDP'],
  ])('%j refuses the pod', (container, reason) => {
    expect(refusalOf(inputOf({ containers: [nginxContainer(container)] }))).toContain(`spec.containers[0].${reason}`);
  });
});
