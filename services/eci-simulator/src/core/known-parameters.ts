/**
 * Every parameter name that an action knows, list indices written as `N` (ECI OpenAPI metadata, version 2018-08-08). A name outside is a fault of
 * the caller, such as `Container.1.image` or `vswitchId`, that the real service would silently ignore.
 */
const LEGACY = 'OwnerId OwnerAccount ResourceOwnerId ResourceOwnerAccount';
/** What the classic RPC form and our own gateway read from the query. */
const GATEWAY = 'Action Version Format Timestamp RegionId';

const CONTAINER = `Name Image Cpu Memory Gpu Command.N Arg.N WorkingDir ImagePullPolicy EnvironmentVar.N.Key EnvironmentVar.N.Value
EnvironmentVar.N.FieldRef.FieldPath Port.N.Port Port.N.Protocol VolumeMount.N.Name VolumeMount.N.MountPath VolumeMount.N.SubPath
VolumeMount.N.ReadOnly VolumeMount.N.MountPropagation SecurityContext.Capability.Add.N SecurityContext.ReadOnlyRootFilesystem
SecurityContext.RunAsUser TerminationMessagePath TerminationMessagePolicy`;

const PROBE = `HttpGet.Path HttpGet.Port HttpGet.Scheme Exec.Command.N TcpSocket.Port InitialDelaySeconds PeriodSeconds TimeoutSeconds
SuccessThreshold FailureThreshold`;

const HANDLER = `HandlerExec.N HandlerHttpGetHost HandlerHttpGetPath HandlerHttpGetPort HandlerHttpGetScheme HandlerHttpGetHttpHeader.N.Name
HandlerHttpGetHttpHeader.N.Value HandlerTcpSocketHost HandlerTcpSocketPort`;

const MAIN_ONLY = `EnvironmentVarHide SecurityContextRunAsGroup SecurityContextRunAsNonRoot SecurityContextPrivileged Stdin StdinOnce Tty
${each('LivenessProbe.', PROBE)} ${each('ReadinessProbe.', PROBE)} ${each('LifecyclePostStart', HANDLER)} ${each('LifecyclePreStop', HANDLER)}`;

const VOLUME = `Name Type EmptyDirVolume.Medium EmptyDirVolume.SizeLimit ConfigFileVolume.ConfigFileToPath.N.Path
ConfigFileVolume.ConfigFileToPath.N.Content ConfigFileVolume.ConfigFileToPath.N.Mode ConfigFileVolume.DefaultMode NFSVolume.Server
NFSVolume.Path NFSVolume.ReadOnly FlexVolume.Driver FlexVolume.FsType FlexVolume.Options HostPathVolume.Path HostPathVolume.Type
DiskVolume.DiskId DiskVolume.DiskSize DiskVolume.FsType`;

const TAG = 'Tag.N.Key Tag.N.Value';

const CREATE = `ContainerGroupName ClientToken ZoneId VSwitchId ScheduleStrategy SecurityGroupId RestartPolicy Cpu Memory InstanceType
CpuArchitecture OsType CpuOptionsCore CpuOptionsThreadsPerCore CpuOptionsNuma SpotStrategy SpotPriceLimit SpotDuration StrictSpot ${TAG}
ResourceGroupId RamRoleName DnsPolicy DnsConfig.NameServer.N DnsConfig.Search.N DnsConfig.Option.N.Name DnsConfig.Option.N.Value
HostAliase.N.Ip HostAliase.N.Hostname.N HostName NtpServer.N TerminationGracePeriodSeconds ActiveDeadlineSeconds ShareProcessNamespace
SecurityContext.Sysctl.N.Name SecurityContext.Sysctl.N.Value HostSecurityContext.Sysctl.N.Name HostSecurityContext.Sysctl.N.Value
EphemeralStorage IngressBandwidth EgressBandwidth EipInstanceId AutoCreateEip EipBandwidth EipISP EipCommonBandwidthPackage
Ipv6AddressCount Ipv6GatewayBandwidthEnable Ipv6GatewayBandwidth PrivateIpAddress FixedIp FixedIpRetainHour
ImageRegistryCredential.N.Server ImageRegistryCredential.N.UserName ImageRegistryCredential.N.Password AcrRegistryInfo.N.RegionId
AcrRegistryInfo.N.InstanceId AcrRegistryInfo.N.InstanceName AcrRegistryInfo.N.Domain.N AcrRegistryInfo.N.ArnService
AcrRegistryInfo.N.ArnUser PlainHttpRegistry InsecureRegistry ImageSnapshotId AutoMatchImageCache ImageAccelerateMode DataCacheBucket
DataCachePL DataCacheProvisionedIops DataCacheBurstingEnabled CorePattern ContainerResourceView
OverheadReservationOption.EnableOverheadReservation DryRun ComputeCategory.N GpuDriverVersion MaxPendingMinute
${each('Container.N.', `${CONTAINER} ${MAIN_ONLY}`)} ${each('InitContainer.N.', CONTAINER)} ${each('Volume.N.', VOLUME)}`;

const FILTERS = `ContainerGroupIds ZoneId VSwitchId ResourceGroupId ${TAG} Limit NextToken`;

const BY_ACTION: Readonly<Record<string, ReadonlySet<string>>> = {
  CreateContainerGroup: names(CREATE),
  DeleteContainerGroup: names('ContainerGroupId ClientToken Force'),
  DescribeContainerGroups: names(`${FILTERS} ContainerGroupName Status WithEvent SecurityGroupId`),
  DescribeContainerGroupStatus: names(`${FILTERS} SinceSecond`),
  DescribeContainerGroupEvents: names(`${FILTERS} SinceSecond EventSource`),
  DescribeRegions: names(''),
  DescribeAvailableResource:
    names(`ZoneId DestinationResource.Category DestinationResource.Value DestinationResource.Cores
    DestinationResource.Memory SpotResource.SpotStrategy SpotResource.SpotPriceLimit SpotResource.SpotDuration`),
  ListUsage: names(''),
};

export type Action =
  | 'CreateContainerGroup'
  | 'DeleteContainerGroup'
  | 'DescribeContainerGroups'
  | 'DescribeContainerGroupStatus'
  | 'DescribeContainerGroupEvents'
  | 'DescribeRegions'
  | 'DescribeAvailableResource'
  | 'ListUsage';

export function isAction(name: string): name is Action {
  return Object.hasOwn(BY_ACTION, name);
}

/** Names that the action does not know, as they were sent. */
export function unknownParameters(action: Action, sent: Iterable<string>): string[] {
  const known = BY_ACTION[action]!;
  const unknown: string[] = [];
  for (const name of sent) if (!known.has(name.replace(/\.\d+(?=\.|$)/g, '.N'))) unknown.push(name);
  return unknown;
}

/** Every name an action knows, for a comparison with the SDK's own model. */
export function knownParameters(action: Action): ReadonlySet<string> {
  return BY_ACTION[action]!;
}

function each(prefix: string, members: string): string {
  return members
    .split(/\s+/)
    .filter(Boolean)
    .map((member) => prefix + member)
    .join(' ');
}

function names(text: string): ReadonlySet<string> {
  return new Set(`${text} ${LEGACY} ${GATEWAY}`.split(/\s+/).filter(Boolean));
}
