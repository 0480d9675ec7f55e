import { z } from 'zod';
import { identifier, text } from '#libs/contracts';
import { PageQuery } from '../answers/page.ts';

const time = z.iso.datetime();

/** What an operator is asked to decide for one cluster. */
export const HoldView = z
  .object({
    clusterId: z.string(),
    /** Of all that is held: whoever decides about all of it sends this as `If-Match`. */
    etag: z.string(),
    /** Stops that wait for a decision. */
    held: z.number().int(),
    /** Stops that were denied: their pods run on, and can still be released. */
    denied: z.number().int(),
    /** Decided, and about to be carried out. */
    underWay: z.number().int(),
    /** Since when the oldest of them is held. */
    since: time.optional(),
    /** Present while the guard holds whatever it counts. */
    active: z
      .object({
        id: z.string(),
        firedAt: time,
        /** What the guard saw when it fired. */
        population: z.number().int(),
        allowance: z.number().int(),
        passed: z.number().int(),
        asked: z.number().int(),
      })
      .optional(),
  })
  .meta({ id: 'Hold' });
export type HoldView = z.infer<typeof HoldView>;

export const HoldsList = z.object({ items: z.array(HoldView) }).meta({ id: 'HoldsList' });
export type HoldsList = z.infer<typeof HoldsList>;

export const HeldStopView = z
  .object({
    streamId: z.string(),
    podUid: z.string(),
    namespace: z.string(),
    name: z.string(),
    hold: z.string(),
    /** What the agent said: Deleted, ObjectGone or Absent. */
    reason: z.string(),
    disruption: z.string().optional(),
    since: time,
    denied: z.object({ at: time, by: z.string(), reason: z.string().optional() }).optional(),
    underWay: z.enum(['release', 'deny']).optional(),
  })
  .meta({ id: 'HeldStop' });
export type HeldStopView = z.infer<typeof HeldStopView>;

export const HeldStopPage = z
  .object({ items: z.array(HeldStopView), nextCursor: z.string().optional() })
  .meta({ id: 'HeldStopPage' });
export type HeldStopPage = z.infer<typeof HeldStopPage>;

export const HeldStopFilter = PageQuery;
export type HeldStopFilter = z.infer<typeof HeldStopFilter>;

export const OPERATOR = z
  .string()
  .regex(/^[A-Za-z0-9._@-]{1,64}$/, 'use 1–64 letters, digits and . _ @ -')
  .default('admin');

export const HoldDecisionBody = z
  .strictObject({
    /** UIDs of pods: these only. */
    only: z.array(identifier(64)).min(1).max(10_000).optional(),
    /** Everything that is held in the cluster, and the hold ends. One of `only` and `all` must be said. */
    all: z.literal(true).optional(),
    reason: text(500, 1).optional(),
    /** Who decides; kept in the history of every pod. */
    by: OPERATOR,
  })
  .refine(({ only, all }) => (only === undefined) !== (all === undefined), {
    error: 'say which stops: either `only` with UIDs of pods, or `all: true`',
    path: ['only'],
  })
  .meta({ id: 'HoldDecision' });
export type HoldDecisionBody = z.infer<typeof HoldDecisionBody>;

export const HoldDecided = z
  .object({
    stops: z.number().int(),
    ended: z.string().optional(),
    notHeld: z.array(z.string()),
  })
  .meta({ id: 'HoldDecided' });
