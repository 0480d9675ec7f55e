/** Stored events of clusters: the newest version of each. */
import { z } from 'zod';
import type { ClusterEventData, ClusterEventType } from '#libs/domain';
import { number, text } from './shapes.ts';
import { eventTypes, type Checked } from './versions.ts';

const because = { reason: text.optional() };
const facts = z.object({
  name: text,
  accountId: text,
  registeredAt: text,
  joinedAt: text.optional(),
  unregisteredAt: text.optional(),
  fingerprint: text.optional(),
  keyThumbprint: text.optional(),
  keyGeneration: number,
});

/** A type that is forgotten here, or is another thing than the domain says, does not compile. */
const schemas: { readonly [T in ClusterEventType]: Checked<ClusterEventData[T]> } = {
  ClusterRegistered: z.object({ name: text, accountId: text, ...because }),
  ClusterImported: facts,
  ClusterChangedElsewhere: facts,
  JoinTokenIssued: z.object({ expiresAt: text, ...because }),
  ClusterJoined: z.object({ fingerprint: text, keyThumbprint: text, keyGeneration: number }),
  AgentKeyTaken: z.object({ keyGeneration: number, ...because }),
  SessionSuperseded: z.object({ epoch: number, agentId: text, superseded: text }),
  ClusterUnregistered: z.object(because),
};

export const CLUSTER_EVENTS = eventTypes(schemas);
