/** Probes and lifecycle hooks. ECI's probes know no host, headers, gRPC, startup probe and no success threshold but 1. */
import type { HandlerSpec, ProbeSpec } from '#libs/contracts';
import type { Container, LifecycleHandler, Probe } from './fields/container-fields.ts';
import { LIMITS } from './limits.ts';
import { type Ignored, refuse } from './refusal.ts';

type Ports = Container['ports'];

function portNumber(value: number | string, ports: Ports, at: string): number {
  const number =
    typeof value === 'number'
      ? value
      : /^\d+$/.test(value)
        ? Number(value)
        : ports?.find((port) => port.name === value)?.containerPort;
  if (number === undefined) return refuse(at, 'names no port of the container');
  return number >= 1 && number <= 65535 ? number : refuse(at, 'must be between 1 and 65535');
}

type HttpGet = NonNullable<LifecycleHandler['httpGet']>;

function http(get: HttpGet, ports: Ports, at: string): HandlerSpec {
  const scheme = get.scheme ?? 'HTTP';
  if (scheme !== 'HTTP' && scheme !== 'HTTPS') return refuse(`${at}.scheme`, 'must be HTTP or HTTPS');
  return {
    kind: 'http',
    path: get.path || '/',
    port: portNumber(get.port, ports, `${at}.port`),
    scheme,
    ...(get.host && { host: get.host }),
  };
}

function exec(command: readonly string[] | undefined, at: string): HandlerSpec {
  if (!command || command.length === 0) return refuse(`${at}.command`, 'is empty');
  if (command.length > LIMITS.probeCommandItems)
    refuse(`${at}.command`, `has more than the ${LIMITS.probeCommandItems} items that ECI takes`);
  return { kind: 'exec', command };
}

function exactlyOne<T extends object>(handlers: T, at: string): keyof T {
  const given = (Object.keys(handlers) as (keyof T)[]).filter((key) => handlers[key] !== undefined);
  return given.length === 1
    ? given[0]!
    : refuse(at, given.length === 0 ? 'states nothing to do' : 'states more than one thing to do');
}

const atLeast = (value: number | undefined, least: number, at: string): number | undefined =>
  value === undefined || value >= least ? value : refuse(at, `must be at least ${least}`);

function probeSpec(probe: Probe, ports: Ports, at: string): ProbeSpec {
  const { httpGet, tcpSocket, exec: execAction } = probe;
  const kind = exactlyOne({ httpGet, tcpSocket, exec: execAction }, at);
  const handler: HandlerSpec =
    kind === 'httpGet'
      ? http(httpGet!, ports, `${at}.httpGet`)
      : kind === 'tcpSocket'
        ? { kind: 'tcp', port: portNumber(tcpSocket!.port, ports, `${at}.tcpSocket.port`) }
        : exec(execAction!.command, `${at}.exec`);
  if (probe.successThreshold !== undefined && probe.successThreshold !== 1) {
    refuse(`${at}.successThreshold`, 'must be 1: ECI takes no other value');
  }
  const initialDelaySeconds = atLeast(probe.initialDelaySeconds, 0, `${at}.initialDelaySeconds`);
  const periodSeconds = atLeast(probe.periodSeconds, 1, `${at}.periodSeconds`);
  const timeoutSeconds = atLeast(probe.timeoutSeconds, 1, `${at}.timeoutSeconds`);
  const failureThreshold = atLeast(probe.failureThreshold, 1, `${at}.failureThreshold`);
  return {
    handler,
    ...(initialDelaySeconds !== undefined && { initialDelaySeconds }),
    ...(periodSeconds !== undefined && { periodSeconds }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    ...(probe.successThreshold !== undefined && { successThreshold: probe.successThreshold }),
    ...(failureThreshold !== undefined && { failureThreshold }),
  };
}

/**
 * Liveness and readiness of a container. A startup probe is approximated: liveness begins after the longest start that the startup probe would
 * allow, and where there is no readiness probe the startup probe decides readiness. Without liveness nothing would end a start that hangs, so
 * such a pod is refused.
 */
export function probesOf(
  container: Container,
  at: string,
  seen: Ignored[],
): { liveness?: ProbeSpec; readiness?: ProbeSpec } {
  const { ports } = container;
  const liveness = container.livenessProbe && probeSpec(container.livenessProbe, ports, `${at}.livenessProbe`);
  const readiness = container.readinessProbe && probeSpec(container.readinessProbe, ports, `${at}.readinessProbe`);
  if (!container.startupProbe) return { ...(liveness && { liveness }), ...(readiness && { readiness }) };

  const path = `${at}.startupProbe`;
  const startup = probeSpec(container.startupProbe, ports, path);
  if (!liveness)
    return refuse(
      path,
      'ECI has no startup probe, and without a livenessProbe nothing would end a start that hangs; add a livenessProbe',
    );
  const longest = (startup.initialDelaySeconds ?? 0) + (startup.failureThreshold ?? 3) * (startup.periodSeconds ?? 10);
  const initialDelaySeconds = Math.max(liveness.initialDelaySeconds ?? 0, longest);
  seen.push({
    field: path,
    reason: `ECI has no startup probe: liveness begins after ${initialDelaySeconds} s${readiness ? '' : ', and the startup probe decides readiness'}`,
  });
  return { liveness: { ...liveness, initialDelaySeconds }, readiness: readiness ?? startup };
}

export function handlerSpec(handler: LifecycleHandler, ports: Ports, at: string): HandlerSpec {
  const { httpGet, tcpSocket, exec: execAction, sleep } = handler;
  const kind = exactlyOne({ httpGet, tcpSocket, exec: execAction, sleep }, at);
  switch (kind) {
    case 'httpGet':
      return http(httpGet!, ports, `${at}.httpGet`);
    case 'tcpSocket':
      return {
        kind: 'tcp',
        port: portNumber(tcpSocket!.port, ports, `${at}.tcpSocket.port`),
        ...(tcpSocket!.host && { host: tcpSocket!.host }),
      };
    case 'exec':
      return exec(execAction!.command, `${at}.exec`);
    case 'sleep':
      return sleep!.seconds >= 0
        ? { kind: 'exec', command: ['sleep', String(sleep!.seconds)] }
        : refuse(`${at}.sleep.seconds`, 'must be at least 0');
  }
}
