import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseCidr } from './core/addresses.ts';
import { type BucketShape, NEWER_BUCKETS, NO_BUCKETS, PUBLISHED_BUCKETS } from './core/buckets.ts';
import { FAULT_KINDS } from './core/faults.ts';

/** Everything that can be set: by the scenario file at start, and by the control API while it runs. Unknown fields are errors. */
const count = z.number().int().min(0);
const range = z
  .tuple([z.number().min(0), z.number().min(0)])
  .refine(([from, to]) => from <= to, 'the first number must not be larger than the second');
const patterns = z.record(z.string(), z.string());

const bucket = z.strictObject({ ratePerSecond: z.number().positive(), burst: z.number().min(1) }).nullable();

const BUCKET_PRESETS: Readonly<Record<string, Readonly<Record<string, BucketShape | null>>>> = {
  published: PUBLISHED_BUCKETS,
  newer: NEWER_BUCKETS,
  unlimited: NO_BUCKETS,
};

/** `published`, `newer`, `unlimited`, or shapes by action. */
export const bucketsSchema = z
  .union([z.enum(['published', 'newer', 'unlimited']), z.record(z.string(), bucket)])
  .transform((given) => (typeof given === 'string' ? BUCKET_PRESETS[given]! : given));

const account = z.strictObject({
  arrears: z.union([z.string().min(1), z.literal(false)]).optional(),
  permission: z.enum(['ok', 'empty-lists', 'denied']).optional(),
  maxCpu: z.number().min(0).optional(),
  dailyCpu: z.number().min(0).nullable().optional(),
});

export const latenciesSchema = z.strictObject({
  factor: z.number().min(0).optional(),
  createMs: range.optional(),
  deleteMs: range.optional(),
  describeMs: range.optional(),
  schedulingMs: range.optional(),
  pullingMs: range.optional(),
  pullingCachedMs: range.optional(),
  terminatingMs: range.optional(),
  visibilityMs: range.optional(),
  stopMs: z.number().min(0).optional(),
  restart: z
    .strictObject({
      firstMs: z.number().min(0).optional(),
      baseMs: z.number().min(0).optional(),
      capMs: z.number().min(0).optional(),
    })
    .optional(),
});

export const settingsSchema = z.strictObject({
  signatures: z.enum(['verify', 'off']).optional(),
  latencies: latenciesSchema.optional(),
  asynchronousStockFailure: z.number().min(0).max(1).optional(),
  tokenCheck: z.enum(['first', 'last']).optional(),
  tokenMemoryMs: z.number().min(0).optional(),
  deleteOfGone: z.enum(['ok', 'not-found']).optional(),
  deleteOfUnseen: z.enum(['known', 'unknown']).optional(),
  deleteOfTerminating: z.enum(['ok', 'incorrect-status']).optional(),
  fullVSwitch: z.enum(['skip', 'refuse']).optional(),
  throttleStatus: z.union([z.literal(400), z.literal(429)]).optional(),
  buckets: bucketsSchema.optional(),
  bucketsPerRegion: z.boolean().optional(),
  unknownParameters: z.enum(['reject', 'ignore']).optional(),
  envValueMax: count.optional(),
  retention: z
    .strictObject({
      finalMs: z.number().min(0).optional(),
      finalLast: count.optional(),
      scheduleFailedMs: z.number().min(0).optional(),
    })
    .optional(),
  account: account.optional(),
  accounts: z.record(z.string(), account).optional(),
  ledgerRequests: count.optional(),
});

export const stockSchema = z.array(
  z.strictObject({ zone: z.string(), spec: z.string().default('*'), capacity: count.nullable() }),
);

export const ipsSchema = z.array(z.strictObject({ vSwitch: z.string(), limit: count.nullable() }));

export const zonesSchema = z.array(z.strictObject({ zone: z.string(), closed: z.boolean() }));

export const faultSchema = z.strictObject({
  id: z.string().min(1).optional(),
  kind: z.enum(FAULT_KINDS),
  action: z.string().optional(),
  match: patterns.optional(),
  account: z.string().optional(),
  count: count.optional(),
  skip: count.optional(),
  probability: z.number().min(0).max(1).optional(),
  executed: z.boolean().optional(),
  lost: z.enum(['reset', 'silence']).optional(),
  code: z.string().optional(),
  status: z.number().int().min(400).max(599).optional(),
  message: z.string().optional(),
  delayMs: z.number().min(0).optional(),
  when: z.enum(['before', 'after']).optional(),
  page: z.enum(['cut', 'short', 'lost-token']).optional(),
});

const run = z.strictObject({
  runMs: z.number().min(0).nullable(),
  exitCode: z.number().int().min(0).max(255),
  reason: z.string().optional(),
});

export const behaviourSchema = z.strictObject({
  id: z.string().min(1).optional(),
  match: z.strictObject({
    image: z.string().optional(),
    container: z.string().optional(),
    group: z.string().optional(),
    env: patterns.optional(),
    tags: patterns.optional(),
  }),
  count: count.optional(),
  runMs: z.number().min(0).nullable().optional(),
  exitCode: z.number().int().min(0).max(255).optional(),
  oomKilled: z.boolean().optional(),
  runs: z.array(run).min(1).optional(),
  imagePullFails: z.union([z.boolean(), count]).optional(),
  readyAfterMs: z.number().min(0).nullable().optional(),
  stopMs: z.number().min(0).optional(),
});

export const credentialSchema = z.strictObject({
  accountId: z.string().default('demo'),
  accessKeyId: z.string().min(1),
  accessKeySecret: z.string().min(1),
  securityToken: z.string().optional(),
  expiresAt: z.number().optional(),
  inactive: z.boolean().optional(),
});

export const clockSchema = z.strictObject({ speed: z.number().positive().optional(), stopped: z.boolean().optional() });

const cidr = z.string().superRefine((text, context) => {
  try {
    parseCidr(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const region = z
  .strictObject({
    id: z.string().min(1),
    extraSizes: z.boolean().default(true),
    zones: z.array(z.string()).min(1),
    vSwitches: z.array(z.strictObject({ id: z.string(), zone: z.string(), vpcId: z.string(), cidr })).min(1),
    securityGroups: z.array(z.strictObject({ id: z.string(), vpcId: z.string() })).default([]),
  })
  .superRefine(({ zones, vSwitches }, context) => {
    vSwitches.forEach(({ id, zone }, index) => {
      if (!zones.includes(zone))
        context.addIssue({
          code: 'custom',
          path: ['vSwitches', index, 'zone'],
          message: `vSwitch ${id} is in ${zone}, which is no zone of this region`,
        });
    });
  });

const scenarioSchema = z.strictObject({
  /** Of all random choices; absent = different at each start. */
  seed: z.number().int().optional(),
  clock: clockSchema.extend({ start: z.iso.datetime().optional() }).optional(),
  /** Absent = the demo world. */
  regions: z.array(region).min(1).optional(),
  zones: zonesSchema.optional(),
  stock: stockSchema.optional(),
  ips: ipsSchema.optional(),
  settings: settingsSchema.optional(),
  credentials: z.array(credentialSchema).optional(),
  faults: z.array(faultSchema).optional(),
  behaviours: z.array(behaviourSchema).optional(),
});

/** As it is written; defaults are filled in by `parseScenario`. */
export type ScenarioInput = z.input<typeof scenarioSchema>;
export type Scenario = z.output<typeof scenarioSchema>;

/** Throws one Error that lists every fault with its path. */
export function parseScenario(input: unknown): Scenario {
  return check(scenarioSchema, input ?? {}, 'scenario');
}

export function check<T extends z.ZodType>(schema: T, input: unknown, what: string): z.output<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new Error(
    parsed.error.issues.map((issue) => `${[what, ...issue.path].join('.')}: ${issue.message}`).join('\n'),
  );
}

/** Reads a JSON or YAML file. */
export async function readScenario(path: string): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  let input: unknown;
  try {
    input = parse(text);
  } catch (error) {
    throw new Error(`${path} is neither JSON nor YAML: ${(error as Error).message.split('\n')[0]}`);
  }
  return parseScenario(input);
}
