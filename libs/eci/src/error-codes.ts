/** What an error of the cloud means to us. `TRANSIENT` and `CONFLICT` say nothing about whether the call had an effect. */
export type ErrorClass =
  | 'STOCK_OUT'
  | 'VSWITCH_IP_EXHAUSTED'
  | 'QUOTA'
  | 'THROTTLED'
  | 'INVALID_REQUEST'
  | 'AUTH'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'TRANSIENT';

/**
 * Codes that Alibaba documents for ECI (error lists of each action, OpenAPI metadata of 2018-08-08 and the product's error page) or that are
 * known from the ECS family behind it. Throttling and many validation errors share HTTP 400, so the code decides, never the status.
 */
const BY_CLASS: Readonly<Record<ErrorClass, string>> = {
  STOCK_OUT: `
    OperationDenied.NoStock RecommendEmpty.InstanceTypeFamilyNotMatched Zone.NotOnSale Spot.NotMatched
    InvalidInstanceTypeForEciBuy InvalidResourceType.NotSupported InstanceType.Offline OperationDenied`,
  VSWITCH_IP_EXHAUSTED: `
    InvalidVSwitchId.IpNotEnough QuotaExceeded.PrivateIpAddress OperationDenied.VswitchIpNotEnough`,
  QUOTA: `
    QuotaExceeded Throttling.Vcpu.PerDay DiskNumber.LimitExceed DedicatedHostQuotaExceeded
    EipAddressPoolIpNotEnough HighCpuMemConfigRequired
    Account.Arrearage InvalidPaymentMethod.InsufficientBalance Payfor.CreditPayInsufficientBalance
    EipPayInsufficientBalance InsufficientBalance Forbidden.UserBussinessStatus Forbidden.AccountClosed
    Forbidden.UserNotRealNameAuthentication SecurityRisk.3DVerification ServiceNotEnabled`,
  THROTTLED: `Throttling Throttling.User Throttling.Api EipPurchaseFlowControl Degrade.Api`,
  INVALID_REQUEST: `
    MissingParameter InvalidParameter InvalidParameter.LengthExceeded InvalidParameter.ValueExceeded
    InvalidParameter.CPU.Memory InvalidParam.CpuOrMemorySpec InvalidParameter.DuplicatedName
    InvalidParameter.DuplicatedVolumeName InvalidSpotCpuMemorySpec InvalidInstanceTypeForEciSpotDurationBuy
    PrivatePoolInstanceSpotNotSupport InstanceTypeNotMatchCpuArch LocalDiskAmountNotMatch
    FeatureBasedConstraintConflict DiskVolume.NotSupport RamRole.NotSupport ImageSnapshot.NotSupport
    ImageCacheNotSupport Ipv6AddressNotSupport Ipv6AddressNotSupportInstanceType
    InvalidOperation.KMS.InstanceTypeNotSupport InvalidParameter.Encrypted.KmsNotEnabled
    InvalidParameter.KMS.EncryptedIllegal OperationDenied.SecurityGroupMisMatch
    InvalidOperation.ResourceManagedByCloudProduct JobInstanceBatchCreateNotSupport JobInstanceDiskNotSupport
    JobInstanceEipNotSupport JobInstanceFeatureNotMatch JobInstanceImageCacheNotSupport JobInstanceIPv6NotSupport
    JobInstanceRamRoleNotSupport JobInstanceRegionNotSupport JobInstanceSpotNotSupport
    JobInstanceEcsInstanceTypeNotSupport BatchCreateNotSupportExistingCloudDisk InvalidVolumeType InvalidAction
    UnsupportedOperation NoSuchVersion UnsupportedHTTPMethod NumberExceed.Tags NoPermission.Tag
    IdempotentParameterMismatch
    Ipv6AddressNotSupportVsw DiskVolume.NotInSameZone CloudDisk.NotInSameZone OperationDenied.VswZoneMisMatch
    DryRun.Success DryRunOperation`,
  AUTH: `
    InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive SignatureDoesNotMatch IncompleteSignature
    InvalidTimeStamp.Expired InvalidTimeStamp.Format InvalidSecurityToken.Expired InvalidSecurityToken.Malformed
    InvalidSecurityToken.MismatchWithAccessKey Forbidden.RAM Forbidden NoPermission Forbidden.SubUser
    InvalidUser.PassRoleForbidden CreateServiceLinkedRole.Denied InvalidParameter.KMS.KeyId.Forbidden
    Forbidden.OnlyForInvitedTest FeatureAccessRestricted Forbidden.RiskControl OperationFailed.RiskControl`,
  NOT_FOUND: `
    ImageSnapshot.NotFound InvalidDiskId.NotFound InvalidParameter.KMS.KeyId.NotFound InvalidParameter.NotFound
    InvalidInstanceId.NotFound InvalidVSwitchId.NotFound InvalidSecurityGroupId.NotFound
    InvalidContainerGroupId.NotFound`,
  CONFLICT: `
    IncorrectStatus IncorrectStatusDetail IncorrectOperation OperationConflict ImageSnapshot.IncorrectStatus
    ImageCache.IncorrectStatus PrivateIpAddress.Already.InUse LastTokenProcessing Idempotence.Processing NoNeedUpdate
    VirtualNode.DELETE.FAILED`,
  // A nonce is used once per signed call, so a used one means that this very call went out before, and may have worked.
  TRANSIENT: `
    InternalError ServiceUnavailable UnknownError containerRepositoryAuthorizationFailed CorePattern.UpdateFail
    Ops.ExecuteTaskFail Ops.IntervalTooShort SignatureNonceUsed`,
};

/** Every documented code with its class. */
export const DOCUMENTED_CODES: ReadonlyMap<string, ErrorClass> = new Map(
  Object.entries(BY_CLASS).flatMap(([errorClass, codes]) =>
    codes
      .trim()
      .split(/\s+/)
      .map((code) => [code, errorClass as ErrorClass] as const),
  ),
);

/** For codes that no table has, in this order. */
const PATTERNS: readonly (readonly [RegExp, ErrorClass])[] = [
  [/IpNotEnough|\.PrivateIpAddress$/, 'VSWITCH_IP_EXHAUSTED'],
  [/NoStock|NotOnSale|StockExhaust|SoldOut/, 'STOCK_OUT'],
  [/^Throttling\.Vcpu\.PerDay/, 'QUOTA'],
  [/^Throttling|FlowControl$/, 'THROTTLED'],
  [/^QuotaExceed|LimitExceed|Arrearage|Balance/, 'QUOTA'],
  [/^InvalidAccessKeyId|^Signature|^InvalidSecurityToken|^InvalidTimeStamp|^Forbidden|^NoPermission/, 'AUTH'],
  [/\.NotFound$/, 'NOT_FOUND'],
  [/^Incorrect|Conflict|Processing$/, 'CONFLICT'],
  [/^Internal|^ServiceUnavailable/, 'TRANSIENT'],
];

/** Class of an error by its code, else by patterns of codes, else by HTTP status. No code at all (no answer, or not the cloud's) is transient. */
export function classOf(code: string | undefined, status: number | undefined): ErrorClass {
  if (code === undefined) return status === 429 ? 'THROTTLED' : 'TRANSIENT';
  const documented = DOCUMENTED_CODES.get(code);
  if (documented) return documented;
  if (status === 429) return 'THROTTLED';
  const pattern = PATTERNS.find(([expression]) => expression.test(code));
  if (pattern) return pattern[1];
  if (status === undefined || status >= 500 || status < 400) return 'TRANSIENT';
  if (status === 404) return 'NOT_FOUND';
  return status === 401 || status === 403 ? 'AUTH' : 'INVALID_REQUEST';
}
