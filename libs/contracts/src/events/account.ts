/** Stored events of cloud accounts: the newest version of each. */
import { z } from 'zod';
import type { AccountEventData, AccountEventType } from '#libs/domain';
import { json, text, texts } from './shapes.ts';
import { eventTypes, type Checked } from './versions.ts';

const facts = z.object({
  name: text,
  credential: text.optional(),
  credentialDigest: text.optional(),
  regions: texts,
  endpoint: text.optional(),
  quotas: json,
  source: z.enum(['configuration', 'api']),
});
const factsAndReason = facts.extend({ reason: text.optional() });

/** A type that is forgotten here, or is another thing than the domain says, does not compile. */
const schemas: { readonly [T in AccountEventType]: Checked<AccountEventData[T]> } = {
  AccountAdded: factsAndReason,
  AccountChanged: factsAndReason,
  AccountImported: facts,
  AccountChangedElsewhere: facts,
};

export const ACCOUNT_EVENTS = eventTypes(schemas);
