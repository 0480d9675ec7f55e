/** Shapes that several stored events share. */
import { z } from 'zod';
import type { GroupStatus, JsonObject, RefusalClass, StopReason } from '#libs/domain';

export const text = z.string();
export const texts = z.array(text);
export const number = z.number();

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const json = z.custom<JsonObject>(isObject);
/** By name. A record would be copied, and there may be hundreds of names. */
export const textMap = z.custom<Readonly<Record<string, string>>>(
  (value) => isObject(value) && Object.values(value).every((each) => typeof each === 'string'),
);
/** A number as the cloud says it; one that it left empty was stored as null. */
export const measured = z.number().nullable() as unknown as z.ZodType<number>;

export const groupStatus: z.ZodType<GroupStatus> = z.enum([
  'Scheduling',
  'ScheduleFailed',
  'Pending',
  'Running',
  'Restarting',
  'Updating',
  'Terminating',
  'Succeeded',
  'Failed',
  'Expired',
  'Unknown',
]);

export const refusalClass: z.ZodType<RefusalClass> = z.enum([
  'STOCK_OUT',
  'VSWITCH_IP_EXHAUSTED',
  'QUOTA',
  'AUTH',
  'NOT_FOUND',
  'INVALID_REQUEST',
]);

export const chargeType = z.enum(['on-demand', 'spot']);
export const stopReason: z.ZodType<StopReason> = z.enum(['Deleted', 'ObjectGone', 'Absent']);

const containerState = z.discriminatedUnion('state', [
  z.object({ state: z.literal('waiting'), reason: text, message: text.optional() }),
  z.object({ state: z.literal('running'), startedAt: text.optional() }),
  z.object({
    state: z.literal('terminated'),
    exitCode: measured,
    signal: measured.optional(),
    reason: text,
    message: text.optional(),
    startedAt: text.optional(),
    finishedAt: text.optional(),
    containerId: text.optional(),
  }),
]);

export const containerStatus = z.object({
  name: text,
  image: text,
  imageId: text.optional(),
  ready: z.boolean(),
  started: z.boolean().optional(),
  restartCount: measured,
  restartsBefore: measured.optional(),
  state: containerState,
  lastState: containerState.optional(),
});

export const podCondition = z.object({
  type: text,
  status: z.enum(['True', 'False', 'Unknown']),
  reason: text.optional(),
  message: text.optional(),
  lastTransitionTime: text.optional(),
});

export const cloudEvent = z.object({
  type: z.enum(['Normal', 'Warning']),
  reason: text,
  message: text,
  count: measured,
  firstTimestamp: text.optional(),
  lastTimestamp: text.optional(),
});

export const gate = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('capacity'), accountId: text, region: text, specFamily: text, chargeType }),
  z.object({ kind: z.literal('account'), accountId: text, class: z.enum(['QUOTA', 'AUTH']) }),
]);

const named = z.array(z.object({ name: text, image: text }));

export const podFacts = z.object({
  uid: text,
  namespace: text,
  name: text,
  resourceVersion: text,
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']),
  containers: named,
  initContainers: named,
  createdAt: text.optional(),
  activeDeadlineSeconds: number.optional(),
});

export const ignoredField = z.object({ field: text, reason: text, warning: text.optional() });
export const tokenLife = z.object({ path: text, issuedAt: text, expiresAt: text });

const allowedVSwitch = z.object({ vSwitchId: text, zone: text.optional() });
export const rankedVSwitch = allowedVSwitch.extend({ reason: text });

export const placementNeed = z.object({
  accountId: text,
  region: text,
  vSwitches: z.array(allowedVSwitch),
  scheduleStrategy: z.enum(['VSwitchOrdered', 'VSwitchRandom', 'default']),
  specs: texts,
  chargeType,
  spotFallback: z.boolean(),
  failStrategy: z.enum(['fail-back', 'fail-fast']),
  priority: number,
});
