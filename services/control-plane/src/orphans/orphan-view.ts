import { z } from 'zod';
import { text } from '#libs/contracts';
import { PageQuery } from '../answers/page.ts';
import { OPERATOR } from '../holds/hold-view.ts';

const time = z.iso.datetime();

export const ORPHAN_STATES = ['young', 'quarantined', 'kept', 'removing', 'removed', 'closed'] as const;
export type OrphanViewState = (typeof ORPHAN_STATES)[number];

const Cost = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('estimated'),
      /** List price times size: an estimate, never a bill. */
      perHour: z.number(),
      currency: z.string(),
      basis: z.string(),
    }),
    z.object({ kind: z.literal('unknown'), why: z.string() }),
  ])
  .meta({ id: 'HourlyCost' });

export const OrphanView = z
  .object({
    /** `<account>/<region>/<containerGroupId>` */
    id: z.string(),
    /** Of all that a decision on it rests on: whoever removes it sends this as `If-Match`. */
    etag: z.string(),
    accountId: z.string(),
    region: z.string(),
    containerGroupId: z.string(),
    /** `young`: not touched, and not to be removed, before it is ten minutes old. */
    state: z.enum(ORPHAN_STATES),
    status: z.string(),
    /** Why it is an orphan. */
    why: z.string(),
    /** What its tags say. */
    tags: z.object({
      clusterId: z.string().optional(),
      podUid: z.string().optional(),
      attempt: z.number().int().optional(),
      namespace: z.string().optional(),
      name: z.string().optional(),
    }),
    /** The cloud's time. */
    createdAt: time.optional(),
    ageSeconds: z.number().int().optional(),
    foundAt: time,
    lastSeenAt: time.optional(),
    size: z.object({ spec: z.string().optional(), cpu: z.number().optional(), memoryGiB: z.number().optional() }),
    /** Per hour. */
    cost: Cost,
    /** Who decided last, and why: kept, or to be removed. */
    decision: z.object({ at: time, by: z.string(), reason: z.string().optional() }).optional(),
    deleteAcceptedAt: time.optional(),
    ended: z.object({ at: time, how: z.string() }).optional(),
  })
  .meta({ id: 'Orphan' });
export type OrphanView = z.infer<typeof OrphanView>;

export const OrphanPage = z
  .object({ items: z.array(OrphanView), nextCursor: z.string().optional() })
  .meta({ id: 'OrphanPage' });
export type OrphanPage = z.infer<typeof OrphanPage>;

export const OrphanFilter = PageQuery.extend({
  account: z.string().max(64).optional(),
  region: z.string().max(64).optional(),
  /** Without it: those that are open. */
  state: z.enum(ORPHAN_STATES).optional(),
});
export type OrphanFilter = z.infer<typeof OrphanFilter>;

export const RemoveOrphanBody = z
  .strictObject({ reason: text(500, 1).optional(), by: OPERATOR })
  .meta({ id: 'RemoveOrphan' });
export type RemoveOrphanBody = z.infer<typeof RemoveOrphanBody>;

export const KeepOrphanBody = z.strictObject({ reason: text(500, 1), by: OPERATOR }).meta({ id: 'KeepOrphan' });
export type KeepOrphanBody = z.infer<typeof KeepOrphanBody>;
