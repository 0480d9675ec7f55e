import { z } from 'zod';
import { identifier } from '#libs/contracts';
import { parseEndpoint } from '#libs/eci';
import { Reason } from '../operators/reason.ts';
import type { LaneAction } from '../streams/lanes.ts';
import { CredentialName, CredentialSource } from './credential-sources.ts';

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

export const EndpointText = z
  .string()
  .max(300)
  .refine((text) => parseEndpoint(text) !== undefined, 'must be a host or http(s)://host:port without a path');

/** An account as callers of the API set it up: they choose among what operators have configured. */
export const AccountSettings = z
  .strictObject({
    id: AccountId,
    name: identifier(100).optional(),
    /** Regions that the fleet may use; empty = every region. */
    regions: z.array(z.string().regex(/^[a-z]{2}-[a-z0-9-]{2,40}$/, 'must look like cn-hangzhou')).max(60),
    quotas: Quotas.optional(),
    /** Name of a credential of the configuration. */
    credential: CredentialName,
    /** Instead of each region's own: another name of the cloud, or one that the configuration lists. */
    endpoint: EndpointText.optional(),
  })
  .meta({ id: 'AccountSettings' });
export type AccountSettings = z.infer<typeof AccountSettings>;

export const AddAccountBody = AccountSettings.extend({ reason: Reason }).meta({ id: 'AddAccount' });
export type AddAccountBody = z.infer<typeof AddAccountBody>;

/** Where the key of an account comes from and where it is sent are changed together. */
export const ChangeCredentialBody = AccountSettings.pick({ credential: true, endpoint: true })
  .extend({ reason: Reason })
  .meta({ id: 'ChangeCredential' });
export type ChangeCredentialBody = z.infer<typeof ChangeCredentialBody>;
export type CredentialChange = Omit<ChangeCredentialBody, 'reason'>;

/** An account as operators configure it: they may say where its key is on the spot. */
export const ConfiguredAccount = AccountSettings.extend({ credential: z.union([CredentialName, CredentialSource]) });
export type ConfiguredAccount = z.infer<typeof ConfiguredAccount>;

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
