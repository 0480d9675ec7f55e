/** A group as DescribeContainerGroups shows it. Names differ from those of the request; the odd ones are the cloud's. */
import type { ContainerDefinition, ProbeDefinition } from './definition.ts';
import { type ContainerRun, type ContainerState, type Group, type GroupEvent, wireTime } from './group.ts';

export function groupView(group: Group, withEvents: boolean): Record<string, unknown> {
  const { definition, size } = group;
  const place = group.landed
    ? { ZoneId: group.zone, VSwitchId: group.vSwitch, IntranetIp: group.ip, EniInstanceId: `eni-${group.id.slice(4)}` }
    : {};
  return {
    ContainerGroupId: group.id,
    ContainerGroupName: definition.name,
    RegionId: definition.region,
    ...place,
    VpcId: definition.vpcId,
    SecurityGroupId: definition.securityGroupIds[0],
    ...optional('ResourceGroupId', definition.resourceGroupId),
    ...optional('RamRoleName', definition.ramRoleName),
    Status: group.status,
    RestartPolicy: definition.restartPolicy,
    InstanceType: size.instanceType ?? '',
    Cpu: size.cpu,
    Memory: size.memory,
    Discount: 0,
    EphemeralStorage: definition.ephemeralStorage ?? 0,
    SpotStrategy: definition.spotStrategy,
    ...(definition.spotStrategy === 'SpotWithPriceLimit' ? { SpotPriceLimit: definition.spotPriceLimit } : {}),
    CreationTime: wireTime(group.createdAt),
    ...(group.status === 'Succeeded' && group.finishedAt !== undefined
      ? { SucceededTime: wireTime(group.finishedAt) }
      : {}),
    ...((group.status === 'Failed' || group.status === 'ScheduleFailed') && group.finishedAt !== undefined
      ? { FailedTime: wireTime(group.finishedAt) }
      : {}),
    Tags: definition.tags,
    Containers: group.containers.map((run, index) => container(run, definition.containers[index]!, false)),
    InitContainers: group.initContainers.map((run, index) => container(run, definition.initContainers[index]!, true)),
    Volumes: definition.volumes,
    Events: withEvents ? group.events.map(shortEvent) : [],
    ...(definition.dnsConfig
      ? {
          DnsConfig: {
            NameServers: definition.dnsConfig.nameServers,
            Searches: definition.dnsConfig.searches,
            Options: definition.dnsConfig.options,
          },
        }
      : {}),
    HostAliases: definition.hostAliases,
    EciSecurityContext: { Sysctls: definition.sysctls },
  };
}

function container(run: ContainerRun, definition: ContainerDefinition, init: boolean): Record<string, unknown> {
  return {
    Name: definition.name,
    Image: definition.image,
    ImagePullPolicy: definition.imagePullPolicy ?? 'IfNotPresent',
    [init ? 'Command' : 'Commands']: definition.command,
    Args: definition.args,
    ...optional('WorkingDir', definition.workingDir),
    Cpu: definition.cpu ?? 0,
    Memory: definition.memory ?? 0,
    Gpu: definition.gpu ?? 0,
    Ready: init ? run.current.exitCode === 0 : run.ready,
    RestartCount: run.restarts,
    CurrentState: state(run.current),
    PreviousState: run.previous ? state(run.previous) : {},
    EnvironmentVars: definition.envHidden
      ? []
      : definition.env.map(({ key, value, fieldPath }) => ({
          Key: key,
          Value: value,
          ...(fieldPath ? { ValueFrom: { FieldRef: { FieldPath: fieldPath } } } : {}),
        })),
    Ports: definition.ports,
    VolumeMounts: definition.mounts,
    SecurityContext: {
      Capability: { Adds: definition.capabilities },
      ...optional('ReadOnlyRootFilesystem', definition.readOnlyRootFilesystem),
      ...optional('RunAsUser', definition.runAsUser),
    },
    ...(init
      ? {}
      : {
          ...optional('LivenessProbe', probe(definition.liveness)),
          ...optional('ReadinessProbe', probe(definition.readiness)),
          Stdin: definition.stdin,
          StdinOnce: definition.stdinOnce,
          Tty: definition.tty,
        }),
  };
}

function state(from: ContainerState): Record<string, unknown> {
  return {
    State: from.state,
    DetailStatus: from.reason ?? '',
    ...optional('Reason', from.reason),
    ...optional('Message', from.message),
    ...optional('ExitCode', from.exitCode),
    ...optional('Signal', from.signal),
    ...optional('StartTime', from.startedAt === undefined ? undefined : wireTime(from.startedAt)),
    ...optional('FinishTime', from.finishedAt === undefined ? undefined : wireTime(from.finishedAt)),
  };
}

function probe(from: ProbeDefinition | undefined): Record<string, unknown> | undefined {
  return (
    from && {
      Execs: from.exec,
      ...optional('HttpGet', from.httpGet),
      ...(from.tcpPort === undefined ? {} : { TcpSocket: { Host: '', Port: from.tcpPort } }),
      InitialDelaySeconds: from.initialDelaySeconds,
      PeriodSeconds: from.periodSeconds,
      TimeoutSeconds: from.timeoutSeconds,
      SuccessThreshold: from.successThreshold,
      FailureThreshold: from.failureThreshold,
    }
  );
}

function shortEvent(event: GroupEvent): Record<string, unknown> {
  return {
    Count: event.count,
    Type: event.type,
    Reason: event.reason,
    Message: event.message,
    Name: event.object ?? '',
    FirstTimestamp: wireTime(event.first),
    LastTimestamp: wireTime(event.last),
  };
}

function optional(name: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [name]: value };
}
