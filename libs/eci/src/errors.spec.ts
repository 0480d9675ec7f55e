import { describe, expect, it } from 'vitest';
import { createOutcome, deleteAnswer, describeAnswer } from './answers.ts';
import { classOf, DOCUMENTED_CODES, type ErrorClass } from './error-codes.ts';
import { failureOf } from './failure.ts';

/** Documented codes with the HTTP status they come with; written out a second time, so that an edit of the table shows. */
const DOCUMENTED: readonly (readonly [ErrorClass, number, string])[] = [
  [
    'STOCK_OUT',
    403,
    'OperationDenied.NoStock Zone.NotOnSale Spot.NotMatched InvalidResourceType.NotSupported InstanceType.Offline OperationDenied',
  ],
  ['STOCK_OUT', 400, 'RecommendEmpty.InstanceTypeFamilyNotMatched InvalidInstanceTypeForEciBuy'],
  [
    'VSWITCH_IP_EXHAUSTED',
    403,
    'InvalidVSwitchId.IpNotEnough QuotaExceeded.PrivateIpAddress OperationDenied.VswitchIpNotEnough',
  ],
  [
    'QUOTA',
    403,
    'QuotaExceeded Throttling.Vcpu.PerDay EipAddressPoolIpNotEnough Forbidden.UserBussinessStatus Forbidden.AccountClosed Forbidden.UserNotRealNameAuthentication SecurityRisk.3DVerification',
  ],
  [
    'QUOTA',
    400,
    'DiskNumber.LimitExceed DedicatedHostQuotaExceeded HighCpuMemConfigRequired Account.Arrearage InvalidPaymentMethod.InsufficientBalance Payfor.CreditPayInsufficientBalance EipPayInsufficientBalance InsufficientBalance ServiceNotEnabled',
  ],
  ['THROTTLED', 400, 'Throttling Throttling.User Throttling.Api EipPurchaseFlowControl Degrade.Api'],
  [
    'INVALID_REQUEST',
    400,
    'MissingParameter InvalidParameter InvalidParameter.LengthExceeded InvalidParameter.ValueExceeded InvalidParameter.CPU.Memory InvalidParam.CpuOrMemorySpec InvalidParameter.DuplicatedName InvalidParameter.DuplicatedVolumeName InvalidSpotCpuMemorySpec InvalidInstanceTypeForEciSpotDurationBuy PrivatePoolInstanceSpotNotSupport InstanceTypeNotMatchCpuArch LocalDiskAmountNotMatch FeatureBasedConstraintConflict DiskVolume.NotSupport RamRole.NotSupport ImageSnapshot.NotSupport ImageCacheNotSupport Ipv6AddressNotSupport Ipv6AddressNotSupportInstanceType InvalidOperation.KMS.InstanceTypeNotSupport InvalidParameter.Encrypted.KmsNotEnabled InvalidParameter.KMS.EncryptedIllegal JobInstanceBatchCreateNotSupport JobInstanceDiskNotSupport JobInstanceEipNotSupport JobInstanceFeatureNotMatch JobInstanceImageCacheNotSupport JobInstanceIPv6NotSupport JobInstanceRamRoleNotSupport JobInstanceRegionNotSupport JobInstanceSpotNotSupport JobInstanceEcsInstanceTypeNotSupport InvalidAction UnsupportedOperation NoSuchVersion UnsupportedHTTPMethod NumberExceed.Tags NoPermission.Tag IdempotentParameterMismatch Ipv6AddressNotSupportVsw DiskVolume.NotInSameZone CloudDisk.NotInSameZone DryRun.Success DryRunOperation',
  ],
  [
    'INVALID_REQUEST',
    403,
    'OperationDenied.SecurityGroupMisMatch InvalidOperation.ResourceManagedByCloudProduct BatchCreateNotSupportExistingCloudDisk InvalidVolumeType OperationDenied.VswZoneMisMatch',
  ],
  ['AUTH', 404, 'InvalidAccessKeyId.NotFound'],
  [
    'AUTH',
    400,
    'InvalidAccessKeyId.Inactive SignatureDoesNotMatch IncompleteSignature InvalidTimeStamp.Expired InvalidTimeStamp.Format InvalidSecurityToken.Expired InvalidSecurityToken.Malformed InvalidSecurityToken.MismatchWithAccessKey NoPermission OperationFailed.RiskControl',
  ],
  [
    'AUTH',
    403,
    'Forbidden.RAM Forbidden Forbidden.SubUser InvalidUser.PassRoleForbidden CreateServiceLinkedRole.Denied InvalidParameter.KMS.KeyId.Forbidden Forbidden.OnlyForInvitedTest FeatureAccessRestricted Forbidden.RiskControl',
  ],
  [
    'NOT_FOUND',
    404,
    'ImageSnapshot.NotFound InvalidDiskId.NotFound InvalidParameter.KMS.KeyId.NotFound InvalidParameter.NotFound InvalidVSwitchId.NotFound InvalidSecurityGroupId.NotFound InvalidContainerGroupId.NotFound',
  ],
  ['NOT_FOUND', 400, 'InvalidInstanceId.NotFound'],
  [
    'CONFLICT',
    400,
    'IncorrectStatus IncorrectStatusDetail IncorrectOperation OperationConflict ImageSnapshot.IncorrectStatus ImageCache.IncorrectStatus PrivateIpAddress.Already.InUse LastTokenProcessing Idempotence.Processing NoNeedUpdate VirtualNode.DELETE.FAILED',
  ],
  ['TRANSIENT', 500, 'InternalError UnknownError'],
  ['TRANSIENT', 503, 'ServiceUnavailable containerRepositoryAuthorizationFailed'],
  ['TRANSIENT', 400, 'CorePattern.UpdateFail Ops.ExecuteTaskFail Ops.IntervalTooShort SignatureNonceUsed'],
];
const documented = DOCUMENTED.flatMap(([errorClass, status, codes]) =>
  codes.split(' ').map((code) => [code, status, errorClass] as const),
);

/** As the SDK throws it for an answer of the cloud. */
const sdkError = (code: string | undefined, status: number, message = 'said the cloud'): Error =>
  Object.assign(new Error(`${code}: code: ${status}, ${message} request id: R1`), {
    code: String(code),
    statusCode: status,
    data: { Code: code, Message: message, RequestId: 'R1', statusCode: status },
    description: 'undefined',
  });
const noAnswer = (fields: object, message = 'POST https://eci/?Password=canary failed.'): Error =>
  Object.assign(new Error(message), fields);

describe('class of an error', () => {
  it.each(documented)('%s (%i) is %s', (code, status, errorClass) => {
    expect(classOf(code, status)).toBe(errorClass);
    // The code decides, not the status.
    expect(classOf(code, 503)).toBe(errorClass);
  });

  it('has no code in the table that is not tried here', () => {
    expect([...DOCUMENTED_CODES.keys()].toSorted()).toEqual(documented.map(([code]) => code).toSorted());
  });

  it.each([
    ['Foo.VswIpNotEnough', 403, 'VSWITCH_IP_EXHAUSTED'],
    ['QuotaExceed.PrivateIpAddress', 403, 'VSWITCH_IP_EXHAUSTED'],
    ['Instance.NoStockInZone', 403, 'STOCK_OUT'],
    ['Family.NotOnSale.Now', 403, 'STOCK_OUT'],
    ['StockExhausted', 403, 'STOCK_OUT'],
    ['Spec.SoldOut', 403, 'STOCK_OUT'],
    ['Throttling.Vcpu.PerDay.Region', 403, 'QUOTA'],
    ['Throttling.Minute', 400, 'THROTTLED'],
    ['Any.FlowControl', 400, 'THROTTLED'],
    ['WhateverElse', 429, 'THROTTLED'],
    ['QuotaExceeded.Vcpu', 403, 'QUOTA'],
    ['Vpc.LimitExceeded', 400, 'QUOTA'],
    ['User.Arrearage', 400, 'QUOTA'],
    ['NotEnoughBalance', 400, 'QUOTA'],
    ['InvalidAccessKeyId.Whatever', 404, 'AUTH'],
    ['SignatureExpired', 400, 'AUTH'],
    ['InvalidSecurityToken.New', 403, 'AUTH'],
    ['InvalidTimeStamp.New', 400, 'AUTH'],
    ['Forbidden.New', 403, 'AUTH'],
    ['NoPermission.New', 403, 'AUTH'],
    ['ThingId.NotFound', 400, 'NOT_FOUND'],
    ['IncorrectVSwitchStatus', 400, 'CONFLICT'],
    ['SomeConflict.Now', 409, 'CONFLICT'],
    ['Token.Processing', 400, 'CONFLICT'],
    ['InternalError.Db', 400, 'TRANSIENT'],
    ['ServiceUnavailableTemporary', 400, 'TRANSIENT'],
    ['NeverHeardOf', 500, 'TRANSIENT'],
    ['NeverHeardOf', 404, 'NOT_FOUND'],
    ['NeverHeardOf', 401, 'AUTH'],
    ['NeverHeardOf', 403, 'AUTH'],
    ['NeverHeardOf', 400, 'INVALID_REQUEST'],
    ['NeverHeardOf', undefined, 'TRANSIENT'],
    [undefined, 403, 'TRANSIENT'],
    [undefined, 429, 'THROTTLED'],
    [undefined, undefined, 'TRANSIENT'],
  ] as const)('%s with %s falls back to %s', (code, status, errorClass) => {
    expect(classOf(code, status)).toBe(errorClass);
  });
});

describe('what a failed create came to', () => {
  const REFUSED = new Set(['STOCK_OUT', 'VSWITCH_IP_EXHAUSTED', 'QUOTA', 'AUTH', 'NOT_FOUND', 'INVALID_REQUEST']);

  it.each(documented)('%s', (code, status, errorClass) => {
    const outcome = createOutcome(failureOf(sdkError(code, status)));
    if (code === 'IdempotentParameterMismatch' || errorClass === 'TRANSIENT' || errorClass === 'CONFLICT') {
      expect(outcome).toEqual({ kind: 'unknown', reason: `${code}: said the cloud` });
    } else if (errorClass === 'THROTTLED') {
      expect(outcome).toEqual({ kind: 'retry', reason: `${code}: said the cloud`, throttled: true });
    } else {
      expect(REFUSED).toContain(errorClass);
      expect(outcome).toEqual({ kind: 'refused', code, class: errorClass, message: 'said the cloud', requestId: 'R1' });
    }
  });

  it.each(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'])('%s was never sent: again, without an attempt used', (code) => {
    expect(createOutcome(failureOf(noAnswer({ code })))).toEqual({ kind: 'retry', reason: `no answer: ${code}` });
  });

  it.each([
    [noAnswer({ code: 'ECONNRESET' }), 'no answer: ECONNRESET'],
    [noAnswer({ code: 'EPIPE' }), 'no answer: EPIPE'],
    [noAnswer({ code: 'ETIMEDOUT' }), 'no answer: ETIMEDOUT'],
    [noAnswer({ name: 'RequestTimeoutError' }), 'no answer within the timeout'],
    [new SyntaxError('Unexpected token < in JSON canary'), 'the answer is not JSON'],
    [
      new Error('type of cpu is mismatch, expect number, but string'),
      'the answer breaks its schema: type of cpu is mismatch, expect number, but string',
    ],
    [sdkError(undefined, 403, 'blocked by a proxy'), 'HTTP 403 without a code of the cloud'],
    [sdkError(undefined, 400), 'HTTP 400 without a code of the cloud'],
    ['thrown text', 'no usable answer: thrown text'],
    [undefined, 'no usable answer: undefined'],
  ])('%s is unknown', (error, reason) => {
    expect(createOutcome(failureOf(error))).toEqual({ kind: 'unknown', reason });
  });

  it('takes secrets and queries out of what the cloud says', () => {
    const message = 'value hunter2-canary is wrong, see https://api/troubleshoot?q=canary';
    const outcome = createOutcome(failureOf(sdkError('InvalidParameter', 400, message), ['hunter2-canary']));
    expect(outcome).toMatchObject({ message: 'value [redacted] is wrong, see https://api/troubleshoot?…' });
  });
});

describe('what other failures came to', () => {
  it.each([
    ['InvalidContainerGroupId.NotFound', 404, { kind: 'not-found' }],
    ['IncorrectStatus', 400, { kind: 'conflict', code: 'IncorrectStatus' }],
    ['Throttling.User', 400, { kind: 'throttled' }],
    ['Forbidden.RAM', 403, { kind: 'refused', code: 'Forbidden.RAM', message: 'said the cloud' }],
    ['InternalError', 500, { kind: 'unknown', reason: 'InternalError: said the cloud' }],
    // 404, but not of the group.
    ['InvalidAccessKeyId.NotFound', 404, { kind: 'refused', code: 'InvalidAccessKeyId.NotFound' }],
  ] as const)('delete: %s', (code, status, answer) => {
    expect(deleteAnswer(failureOf(sdkError(code, status)))).toMatchObject(answer);
  });

  it.each([
    ['Throttling.User', 400, { kind: 'refused', class: 'THROTTLED' }],
    ['Forbidden.RAM', 403, { kind: 'refused', class: 'AUTH' }],
    ['ServiceUnavailable', 503, { kind: 'unknown' }],
    ['OperationConflict', 400, { kind: 'unknown' }],
  ] as const)('describe: %s', (code, status, answer) => {
    expect(describeAnswer(failureOf(sdkError(code, status)))).toMatchObject(answer);
  });
});
