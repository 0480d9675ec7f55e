import type { GroupDefinition } from './definition.ts';
import type { Parameters } from './parameters.ts';
import { readContainer } from './read-container.ts';
import { readVolume } from './read-volume.ts';
import { invalid, missing } from './wire-error.ts';

const SAFE_SYSCTLS = ['net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start'];

/** Reads a CreateContainerGroup request and checks it by the limits of its page. Stock, quota and the network are not looked at. */
export function readGroup(from: Parameters, limits: { readonly envValueMax: number }): GroupDefinition {
  const optional = <T>(name: string, value: T | undefined): Record<string, T> =>
    value === undefined ? {} : { [name]: value };
  const name = from.requiredText('ContainerGroupName');
  if (!/^[a-z0-9][a-z0-9-]{0,126}[a-z0-9]$/.test(name))
    throw invalid(
      'ContainerGroupName must have 2 to 128 characters of a-z, 0-9 and hyphen, without a hyphen at either end.',
    );
  const clientToken = from.text('ClientToken', { max: 64 });
  if (clientToken && !/^[\x20-\x7e]+$/.test(clientToken)) throw invalid('ClientToken must be ASCII.');

  const containers = from.list('Container', { max: 20 }).map((each) => readContainer(each, false, limits));
  if (containers.length === 0) throw missing('Container.1.Name');
  const initContainers = from.list('InitContainer', { max: 20 }).map((each) => readContainer(each, true, limits));
  unique(
    [...containers, ...initContainers].map((each) => each.name),
    'container',
    'InvalidParameter.DuplicatedName',
  );
  const volumes = from.list('Volume', { max: 20 }).map(readVolume);
  unique(
    volumes.map((volume) => volume.Name),
    'volume',
    'InvalidParameter.DuplicatedVolumeName',
  );
  const volumeNames = new Set(volumes.map((volume) => volume.Name));
  for (const container of [...containers, ...initContainers]) {
    for (const mount of container.mounts) {
      if (!volumeNames.has(String(mount['Name'])))
        throw invalid(`Container ${container.name} mounts volume ${String(mount['Name'])}, which is not declared.`);
    }
  }

  const spotStrategy =
    from.text('SpotStrategy', { oneOf: ['NoSpot', 'SpotWithPriceLimit', 'SpotAsPriceGo'] }) ?? 'NoSpot';
  const spotPriceLimit = from.number('SpotPriceLimit', { min: 0 });
  if (spotStrategy === 'SpotWithPriceLimit' && spotPriceLimit === undefined) throw missing('SpotPriceLimit');
  from.text('CpuArchitecture', { oneOf: ['AMD64', 'ARM64', ''] });
  from.text('DnsPolicy', { oneOf: ['Default', 'None', ''] });
  from.list('NtpServer', { max: 21 });
  for (const credential of from.list('ImageRegistryCredential', { max: 10 })) {
    const server = credential.requiredText('Server');
    if (server.includes('://')) throw invalid(`${credential.nameOf('Server')} must have no scheme.`);
  }

  return {
    region: from.requiredText('RegionId'),
    name,
    ...optional('clientToken', clientToken || undefined),
    ...optional('zoneId', from.text('ZoneId') || undefined),
    vSwitchIds: readCommaList(from, 'VSwitchId', 10),
    ordered: from.text('ScheduleStrategy', { oneOf: ['VSwitchOrdered', 'VSwitchRandom', ''] }) === 'VSwitchOrdered',
    securityGroupIds: readCommaList(from, 'SecurityGroupId', 5),
    restartPolicy: (from.text('RestartPolicy', { oneOf: ['Always', 'Never', 'OnFailure', ''] }) ||
      'Always') as GroupDefinition['restartPolicy'],
    ...optional('cpu', from.number('Cpu', { min: 0, max: 1_000 })),
    ...optional('memory', from.number('Memory', { min: 0, max: 10_000 })),
    specs: readCommaList(from, 'InstanceType', 50),
    spotStrategy: spotStrategy as GroupDefinition['spotStrategy'],
    ...optional('spotPriceLimit', spotPriceLimit),
    tags: readTags(from, 20),
    ...optional('resourceGroupId', from.text('ResourceGroupId') || undefined),
    ...optional('ramRoleName', from.text('RamRoleName') || undefined),
    ...optional('hostName', from.text('HostName') || undefined),
    ...optional('ephemeralStorage', from.integer('EphemeralStorage', { min: 0, max: 5_000 })),
    graceSeconds: from.integer('TerminationGracePeriodSeconds', { min: 0 }) ?? 30,
    ...optional('activeDeadlineSeconds', from.integer('ActiveDeadlineSeconds', { min: 1 })),
    maxPendingMinutes: from.integer('MaxPendingMinute', { min: 10, max: 1_440 }) ?? 240,
    imageCache: (from.flag('AutoMatchImageCache') ?? false) || Boolean(from.text('ImageSnapshotId')),
    dryRun: from.flag('DryRun') ?? false,
    containers,
    initContainers,
    volumes,
    ...optional('dnsConfig', readDns(from.child('DnsConfig'))),
    hostAliases: from.list('HostAliase', { max: 101 }).map((alias) => ({
      Ip: alias.requiredText('Ip'),
      Hostnames: alias.texts('Hostname', { max: 51 }),
    })),
    sysctls: [
      ...readSysctls(from.child('SecurityContext'), (sysctl) => SAFE_SYSCTLS.includes(sysctl)),
      ...readSysctls(from.child('HostSecurityContext'), (sysctl) =>
        /^(kernel\.(shm|msg|sem)|fs\.mqueue\.|net\.)/.test(sysctl),
      ),
    ],
  };
}

/** `Tag.N.Key` and `Tag.N.Value` of a group to be made. */
function readTags(from: Parameters, max: number): GroupDefinition['tags'] {
  const tags = from.list('Tag', { max }).map((tag) => {
    const Key = tag.requiredText('Key', { min: 1, max: 64 });
    const Value = tag.text('Value', { max: 128 }) ?? '';
    if (/^(aliyun|acs:)/.test(Key) || /https?:\/\//.test(Key))
      throw invalid(`${tag.nameOf('Key')} must not start with aliyun or acs: and must hold no http(s)://.`);
    if (Value.startsWith('acs:') || /https?:\/\//.test(Value))
      throw invalid(`${tag.nameOf('Value')} must not start with acs: and must hold no http(s)://.`);
    return { Key, Value };
  });
  unique(
    tags.map((tag) => tag.Key),
    'tag key',
    'InvalidParameter.DuplicatedName',
  );
  return tags;
}

function readCommaList(from: Parameters, name: string, max: number): string[] {
  const text = from.text(name);
  if (!text) return [];
  const members = text.split(',').map((member) => member.trim());
  if (members.some((member) => member === ''))
    throw invalid(`${from.nameOf(name)} must be a comma list without empty members.`);
  if (members.length > max)
    throw invalid(`${from.nameOf(name)} may hold at most ${max} members.`, 'InvalidParameter.LengthExceeded');
  unique(members, name, 'InvalidParameter');
  return members;
}

function readDns(dns: Parameters | undefined): GroupDefinition['dnsConfig'] {
  return (
    dns && {
      nameServers: dns.texts('NameServer', { max: 20 }),
      searches: dns.texts('Search', { max: 20 }),
      options: dns.list('Option', { max: 20 }).map((option) => ({
        Name: option.requiredText('Name'),
        Value: option.text('Value') ?? '',
      })),
    }
  );
}

function readSysctls(context: Parameters | undefined, allowed: (name: string) => boolean): GroupDefinition['sysctls'] {
  return (context?.list('Sysctl', { max: 101 }) ?? []).map((sysctl) => {
    const Name = sysctl.requiredText('Name');
    if (!allowed(Name)) throw invalid(`${sysctl.nameOf('Name')}: ${Name} is not allowed here.`);
    return { Name, Value: sysctl.text('Value') ?? '' };
  });
}

function unique(names: readonly string[], what: string, code: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw invalid(`The ${what} ${name} appears twice.`, code);
    seen.add(name);
  }
}
