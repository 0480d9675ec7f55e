/** Containers and init containers of the group. */
import type { ContainerSpec, InitContainerSpec } from '#libs/contracts';
import { type EnvSource, resolveEnv } from './env.ts';
import type { Container, InitContainer, SecurityContext } from './fields/container-fields.ts';
import type { PodSecurityContext } from './fields/pod-fields.ts';
import { isOutOfCalculation, type Stated, statedResources } from './group-size.ts';
import { LIMITS, RESERVED_PORTS } from './limits.ts';
import { handlerSpec, probesOf } from './probes.ts';
import { type Ignored, refuse } from './refusal.ts';

export interface PodContext {
  readonly source: EnvSource;
  readonly security: PodSecurityContext | undefined;
  readonly volumes: ReadonlySet<string>;
  readonly seen: Ignored[];
}

interface Mapped<T> {
  readonly spec: T;
  readonly stated: Stated;
  readonly outOfCalculation: boolean;
}

export function mapInitContainer(context: PodContext, container: InitContainer, at: string): Mapped<InitContainerSpec> {
  const group = container.securityContext?.runAsGroup ?? context.security?.runAsGroup;
  if (group !== undefined) {
    const where =
      container.securityContext?.runAsGroup === undefined ? 'spec.securityContext' : `${at}.securityContext`;
    refuse(
      `${where}.runAsGroup`,
      'cannot be given to init containers on ECI; remove it, or set it in the containers only',
    );
  }
  if (container.securityContext?.runAsNonRoot ?? context.security?.runAsNonRoot) {
    const where =
      container.securityContext?.runAsNonRoot === undefined ? 'spec.securityContext' : `${at}.securityContext`;
    context.seen.push({ field: `${where}.runAsNonRoot`, reason: 'ECI does not check it for init containers' });
  }
  const { spec, ...rest } = mapBase(context, container, 'initContainers', at);
  const { runAsNonRoot: _, ...security } = spec.security;
  return { spec: { ...spec, security }, ...rest };
}

export function mapContainer(context: PodContext, container: Container, at: string): Mapped<ContainerSpec> {
  const { spec, ...rest } = mapBase(context, container, 'containers', at);
  const { postStart, preStop } = container.lifecycle ?? {};
  return {
    spec: {
      ...spec,
      ...probesOf(container, at, context.seen),
      ...(postStart && { postStart: handlerSpec(postStart, container.ports, `${at}.lifecycle.postStart`) }),
      ...(preStop && { preStop: handlerSpec(preStop, container.ports, `${at}.lifecycle.preStop`) }),
      ...(container.stdin && { stdin: true }),
      ...(container.stdinOnce && { stdinOnce: true }),
      ...(container.tty && { tty: true }),
    },
    ...rest,
  };
}

function mapBase(
  context: PodContext,
  container: Container | InitContainer,
  list: 'containers' | 'initContainers',
  at: string,
): Mapped<InitContainerSpec> {
  if (container.image.length < 1 || container.image.length > LIMITS.imageChars) {
    refuse(`${at}.image`, `must have 1 to ${LIMITS.imageChars} characters`);
  }
  const { env, expand } = resolveEnv(context.source, container, list, at, context.seen);
  const outOfCalculation = isOutOfCalculation(env as readonly { name: string; value?: string }[]);
  const stated = statedResources(container.resources, `${at}.resources`);
  if (stated.gpu !== undefined && !Number.isInteger(stated.gpu)) refuse(`${at}.resources`, 'must ask for whole GPUs');
  const { command, args } = commandLine(
    (container.command ?? []).map((item, index) => expand(item, `${at}.command[${index}]`)),
    (container.args ?? []).map((item, index) => expand(item, `${at}.args[${index}]`)),
    at,
  );
  const pullPolicy = container.imagePullPolicy;
  if (pullPolicy && !['Always', 'IfNotPresent', 'Never'].includes(pullPolicy)) {
    refuse(`${at}.imagePullPolicy`, 'must be Always, IfNotPresent or Never');
  }
  return {
    spec: {
      name: container.name,
      image: container.image,
      ...(pullPolicy && { imagePullPolicy: pullPolicy as 'Always' | 'IfNotPresent' | 'Never' }),
      // A container that is left out of the calculation takes what the others leave; its own figures could exceed the group.
      ...(!outOfCalculation && stated.cpu !== undefined && { cpu: stated.cpu }),
      ...(!outOfCalculation && stated.memoryGiB !== undefined && { memoryGiB: thousandths(stated.memoryGiB) }),
      ...(stated.gpu !== undefined && { gpu: stated.gpu }),
      command,
      args,
      ...(container.workingDir && { workingDir: container.workingDir }),
      env,
      ports: ports(container, at),
      mounts: mounts(context, container, expand, at),
      security: security(container.securityContext, context.security, at),
      ...(container.terminationMessagePath && { terminationMessagePath: container.terminationMessagePath }),
      ...(container.terminationMessagePolicy && { terminationMessagePolicy: container.terminationMessagePolicy }),
    },
    stated,
    outOfCalculation,
  };
}

/** ECI takes three decimals; rounding down keeps the sum of the containers within the group. */
const thousandths = (value: number): number => Math.max(1, Math.floor(value * 1000)) / 1000;

/**
 * ECI limits the items of a command, in number and length, but not those of args. The program and its arguments are command followed by args, so
 * what does not fit into command may stand at the head of args.
 */
function commandLine(
  command: readonly string[],
  args: readonly string[],
  at: string,
): { command: readonly string[]; args: readonly string[] } {
  const tooLong = command.findIndex((item) => item.length > LIMITS.commandItemChars);
  const keep = Math.min(tooLong < 0 ? command.length : tooLong, LIMITS.commandItems);
  if (keep === 0 && command.length > 0) {
    refuse(`${at}.command[0]`, `has more than the ${LIMITS.commandItemChars} characters that ECI takes`);
  }
  const allArgs = [...command.slice(keep), ...args];
  if (allArgs.length > LIMITS.argItems)
    refuse(`${at}.args`, `has more than the ${LIMITS.argItems} items that ECI takes`);
  return { command: command.slice(0, keep), args: allArgs };
}

function ports(container: Container | InitContainer, at: string): InitContainerSpec['ports'] {
  const list = container.ports ?? [];
  if (list.length > LIMITS.ports) refuse(`${at}.ports`, `has more than the ${LIMITS.ports} ports that ECI takes`);
  return list.map(({ containerPort, protocol = 'TCP' }, index) => {
    const path = `${at}.ports[${index}]`;
    if (containerPort < 1 || containerPort > 65535) refuse(`${path}.containerPort`, 'must be between 1 and 65535');
    if (RESERVED_PORTS.has(containerPort)) {
      refuse(
        `${path}.containerPort`,
        `${containerPort} is used by ECI itself (as are ${[...RESERVED_PORTS].join(', ')}); choose another port`,
      );
    }
    if (protocol !== 'TCP' && protocol !== 'UDP') return refuse(`${path}.protocol`, 'must be TCP or UDP on ECI');
    return { port: containerPort, protocol };
  });
}

const PROPAGATIONS = ['None', 'HostToContainer', 'Bidirectional'] as const;

function mounts(
  context: PodContext,
  container: Container | InitContainer,
  expand: (text: string, at: string, strict?: boolean) => string,
  at: string,
): InitContainerSpec['mounts'] {
  const list = container.volumeMounts ?? [];
  if (list.length > LIMITS.mounts)
    refuse(`${at}.volumeMounts`, `has more than the ${LIMITS.mounts} mounts that ECI takes`);
  return list.map((mount, index) => {
    const path = `${at}.volumeMounts[${index}]`;
    if (!context.volumes.has(mount.name)) refuse(`${path}.name`, 'names no volume of the pod');
    if (mount.subPath && mount.subPathExpr) refuse(`${path}.subPathExpr`, 'excludes subPath');
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, `${path}.subPathExpr`, true) : mount.subPath;
    if (subPath && (subPath.startsWith('/') || subPath.split('/').includes('..'))) {
      refuse(`${path}.${mount.subPathExpr ? 'subPathExpr' : 'subPath'}`, 'must be a relative path without ..');
    }
    const propagation = PROPAGATIONS.find((known) => known === mount.mountPropagation);
    if (mount.mountPropagation && !propagation) {
      refuse(`${path}.mountPropagation`, `must be one of ${PROPAGATIONS.join(', ')}`);
    }
    return {
      volume: mount.name,
      path: mount.mountPath,
      ...(subPath && { subPath }),
      readOnly: mount.readOnly ?? false,
      ...(propagation && { propagation }),
    };
  });
}

function security(
  own: SecurityContext | undefined,
  pod: PodSecurityContext | undefined,
  at: string,
): InitContainerSpec['security'] {
  const runAsUser = own?.runAsUser ?? pod?.runAsUser;
  const runAsGroup = own?.runAsGroup ?? pod?.runAsGroup;
  const runAsNonRoot = own?.runAsNonRoot ?? pod?.runAsNonRoot;
  const addCapabilities = (own?.capabilities?.add ?? []).map((name, index) => {
    const short = name.replace(/^CAP_/, '');
    return short === 'NET_ADMIN' || short === 'NET_RAW'
      ? short
      : refuse(`${at}.securityContext.capabilities.add[${index}]`, 'ECI gives NET_ADMIN and NET_RAW only; remove it');
  });
  return {
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsGroup !== undefined && { runAsGroup }),
    ...(runAsNonRoot !== undefined && { runAsNonRoot }),
    ...(own?.readOnlyRootFilesystem && { readOnlyRootFilesystem: true }),
    addCapabilities,
  };
}
