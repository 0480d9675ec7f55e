import { z } from 'zod';
import { identifier } from '#libs/contracts';

/**
 * Variables that hold this service's own secrets or addresses must not be named by an account: their value would be sent to the cloud as an
 * AccessKey id.
 */
const ownVariable = /^(FLEET_|DATABASE_|KAFKA_|TLS_|HTTP_)/;
const variableName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,99}$/, 'must be the name of an environment variable (A-Z, 0-9, _)')
  .refine(
    (name) => !ownVariable.test(name),
    'is a variable of the control plane itself; name one that holds an AccessKey',
  );

/** Where the AccessKey of an account is; never the key. A file holds JSON `{accessKeyId, accessKeySecret, securityToken?}`. */
export const CredentialReference = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('environment'),
      accessKeyIdVariable: variableName,
      accessKeySecretVariable: variableName,
    }),
    z.strictObject({ kind: z.literal('file'), path: z.string().regex(/^\/[^\0]+$/, 'must be an absolute path') }),
  ])
  .meta({ id: 'CredentialReference' });
export type CredentialReference = z.infer<typeof CredentialReference>;

/** Calls a minute and how many may come at once. */
const Bucket = z.strictObject({
  perMinute: z.number().positive().max(1_000_000),
  burst: z.number().int().min(1).max(100_000).optional(),
});

/** Overrides of what the cloud grants an account in one region. */
export const Quotas = z
  .strictObject({
    create: Bucket.optional(),
    delete: Bucket.optional(),
    describe: Bucket.optional(),
    status: Bucket.optional(),
  })
  .meta({ id: 'AccountQuotas' });
export type Quotas = z.infer<typeof Quotas>;

export const AccountId = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, 'use 1–40 of a-z, 0-9 and -, not at its ends');

export const AccountSettings = z
  .strictObject({
    id: AccountId,
    name: identifier(100).optional(),
    credential: CredentialReference,
    /** Regions that the fleet may use; empty = every region. */
    regions: z.array(z.string().regex(/^[a-z]{2}-[a-z0-9-]{2,40}$/, 'must look like cn-hangzhou')).max(60),
    endpoint: z
      .string()
      .regex(/^(https?:\/\/)?[^\s/]+$/, 'must be a host or http(s)://host:port without a path')
      .optional(),
    quotas: Quotas.optional(),
  })
  .meta({ id: 'AccountSettings' });
export type AccountSettings = z.infer<typeof AccountSettings>;

export type LaneAction = 'create' | 'delete' | 'describe' | 'status';

/**
 * What ECI grants an account by default (ECI docs, API quota page): 1,000 creates and as many deletes a minute, 2,000 DescribeContainerGroups,
 * 10,000 DescribeContainerGroupStatus. The newest limits page gives creates and deletes as a bucket of 100, the shape used here.
 */
const PUBLISHED: Readonly<Record<LaneAction, { readonly perMinute: number; readonly burst: number }>> = {
  create: { perMinute: 1000, burst: 100 },
  delete: { perMinute: 1000, burst: 100 },
  describe: { perMinute: 2000, burst: 100 },
  status: { perMinute: 10_000, burst: 200 },
};

/** Tokens a second and the most that are saved up, for one lane of an account. The queue itself stays a little below it. */
export function bucketOf(action: LaneAction, quotas: Quotas | undefined): { rate: number; burst: number } {
  const own = quotas?.[action];
  const { perMinute, burst } = {
    ...PUBLISHED[action],
    ...(own ? { perMinute: own.perMinute, burst: own.burst ?? Math.max(1, Math.ceil(own.perMinute / 10)) } : {}),
  };
  return { rate: perMinute / 60, burst };
}

/** By so much one call may be longer on its way than another, in a storm on a busy machine. */
const JITTER_S = 0.5;

/**
 * The bucket of a lane: not all that the cloud saves up. The first call of a storm may reach the cloud late, whose bucket is full until then, while
 * ours refills already; what we would be ahead is left out, or the end of the first burst would be throttled. At least half of it: a bucket
 * that is full between two looks at it loses quota.
 */
export function laneBucketOf({ rate, burst }: { readonly rate: number; readonly burst: number }): {
  rate: number;
  burst: number;
} {
  return { rate, burst: Math.max(1, burst / 2, burst - rate * JITTER_S) };
}

export const LANE_ACTIONS: readonly LaneAction[] = ['create', 'delete', 'describe', 'status'];

export const laneOf = (accountId: string, region: string, action: LaneAction): string =>
  `${accountId}/${region}/${action}`;
