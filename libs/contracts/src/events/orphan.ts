/** Stored events of orphans: the newest version of each. */
import { z } from 'zod';
import type { OrphanEventData, OrphanEventType } from '#libs/domain';
import { groupStatus, measured, number, text } from './shapes.ts';
import { eventTypes, type Checked } from './versions.ts';

/** A type that is forgotten here, or is another thing than the domain says, does not compile. */
const schemas: { readonly [T in OrphanEventType]: Checked<OrphanEventData[T]> } = {
  OrphanQuarantined: z.object({
    accountId: text,
    region: text,
    containerGroupId: text,
    status: groupStatus,
    clusterId: text.optional(),
    podUid: text.optional(),
    attempt: number.optional(),
    namespace: text.optional(),
    name: text.optional(),
    createdAt: text.optional(),
    spec: text.optional(),
    cpu: measured.optional(),
    memoryGiB: measured.optional(),
    why: text,
  }),
  OrphanKept: z.object({ by: text, reason: text }),
  OrphanRemovalRequested: z.object({ by: text, reason: text.optional() }),
  OrphanDeleteAccepted: z.object({ requestId: text }),
  OrphanRemoved: z.object({ evidence: text }),
  OrphanClosed: z.object({
    reason: z.enum(['claimed', 'ended', 'vanished', 'not-ours']),
    evidence: text,
    streamId: text.optional(),
  }),
};

export const ORPHAN_EVENTS = eventTypes(schemas);
