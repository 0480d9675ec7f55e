import type { ContainerDefinition, ProbeDefinition } from './definition.ts';
import type { Parameters } from './parameters.ts';
import { invalid, missing, WireError } from './wire-error.ts';

/** Reads `Container.N` or `InitContainer.N` and checks it by the limits of the CreateContainerGroup page. */
export function readContainer(
  from: Parameters,
  init: boolean,
  limits: { readonly envValueMax: number },
): ContainerDefinition {
  const optional = <T>(name: string, value: T | undefined): Record<string, T> =>
    value === undefined ? {} : { [name]: value };
  const security = from.child('SecurityContext');
  const readOnly = security?.flag('ReadOnlyRootFilesystem');
  if (readOnly === false) throw invalid(`${from.nameOf('SecurityContext.ReadOnlyRootFilesystem')} may only be true.`);
  const capabilities = security?.child('Capability')?.texts('Add', { max: 100 }) ?? [];
  for (const capability of capabilities) {
    if (capability !== 'NET_ADMIN' && capability !== 'NET_RAW')
      throw invalid(`${from.nameOf('SecurityContext.Capability.Add')} allows NET_ADMIN and NET_RAW only.`);
  }
  if (from.has('SecurityContextPrivileged') && from.flag('SecurityContextPrivileged'))
    throw new WireError(
      'Forbidden.OnlyForInvitedTest',
      403,
      'Privileged containers are open to invited accounts only.',
    );
  return {
    name: from.requiredText('Name', { max: 128 }),
    image: from.requiredText('Image', { max: 255 }),
    ...optional('cpu', from.number('Cpu', { min: 0, max: 1_000 })),
    ...optional('memory', from.number('Memory', { min: 0, max: 10_000 })),
    ...optional('gpu', from.integer('Gpu', { min: 0, max: 16 })),
    command: from.texts('Command', { max: 20, each: 256 }),
    args: from.texts('Arg', { max: 101 }),
    ...optional('workingDir', from.text('WorkingDir')),
    ...optional('imagePullPolicy', from.text('ImagePullPolicy', { oneOf: ['Always', 'IfNotPresent', 'Never'] })),
    env: from.list('EnvironmentVar', { max: 241 }).map((variable) => readVariable(variable, limits.envValueMax)),
    envHidden: from.flag('EnvironmentVarHide') ?? false,
    ports: from.list('Port', { max: 101 }).map((port) => {
      const number = port.integer('Port', { min: 1, max: 65_535 });
      if (number === undefined) throw missing(port.nameOf('Port'));
      return { Port: number, Protocol: port.text('Protocol', { oneOf: ['TCP', 'UDP'] }) ?? 'TCP' };
    }),
    mounts: from.list('VolumeMount', { max: 101 }).map((mount) => ({
      Name: mount.requiredText('Name'),
      MountPath: mount.requiredText('MountPath'),
      ReadOnly: mount.flag('ReadOnly') ?? false,
      ...optional('SubPath', mount.text('SubPath')),
      ...optional(
        'MountPropagation',
        mount.text('MountPropagation', { oneOf: ['None', 'HostToContainer', 'Bidirectional'] }),
      ),
    })),
    capabilities,
    ...optional('readOnlyRootFilesystem', readOnly),
    ...optional('runAsUser', security?.integer('RunAsUser', { min: 0 })),
    ...optional('liveness', init ? undefined : readProbe(from.child('LivenessProbe'))),
    ...optional('readiness', init ? undefined : readProbe(from.child('ReadinessProbe'))),
    preStop: init ? [] : from.texts('LifecyclePreStopHandlerExec'),
    stdin: from.flag('Stdin') ?? false,
    stdinOnce: from.flag('StdinOnce') ?? false,
    tty: from.flag('Tty') ?? false,
  };
}

function readVariable(variable: Parameters, valueMax: number): ContainerDefinition['env'][number] {
  const key = variable.requiredText('Key', { max: 128 });
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key))
    throw invalid(
      `${variable.nameOf('Key')} may hold letters, digits and underscores and must not start with a digit.`,
    );
  const fieldPath = variable.child('FieldRef')?.text('FieldPath', { oneOf: ['status.podIP'] });
  return {
    key,
    value: variable.text('Value', { max: valueMax }) ?? '',
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

function readProbe(probe: Parameters | undefined): ProbeDefinition | undefined {
  if (!probe) return undefined;
  const http = probe.child('HttpGet');
  const exec = probe.child('Exec')?.texts('Command', { max: 20 }) ?? [];
  const tcpPort = probe.child('TcpSocket')?.integer('Port', { min: 1, max: 65_535 });
  if ([http !== undefined, exec.length > 0, tcpPort !== undefined].filter(Boolean).length !== 1)
    throw invalid(`${probe.nameOf('')} must have exactly one of HttpGet, Exec and TcpSocket.`);
  const port = http?.integer('Port', { min: 1, max: 65_535 });
  if (http && port === undefined) throw missing(http.nameOf('Port'));
  const successThreshold = probe.integer('SuccessThreshold') ?? 1;
  if (successThreshold !== 1) throw invalid(`${probe.nameOf('SuccessThreshold')} must be 1.`);
  return {
    exec,
    ...(http
      ? {
          httpGet: {
            Path: http.text('Path') ?? '/',
            Port: port!,
            Scheme: http.text('Scheme', { oneOf: ['HTTP', 'HTTPS', ''] }) || 'HTTP',
          },
        }
      : {}),
    ...(tcpPort === undefined ? {} : { tcpPort }),
    initialDelaySeconds: probe.integer('InitialDelaySeconds', { min: 0 }) ?? 0,
    periodSeconds: probe.integer('PeriodSeconds', { min: 1 }) ?? 10,
    timeoutSeconds: probe.integer('TimeoutSeconds', { min: 1 }) ?? 1,
    successThreshold,
    failureThreshold: probe.integer('FailureThreshold', { min: 1 }) ?? 3,
  };
}
