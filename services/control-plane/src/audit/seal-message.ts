import { z } from 'zod';
import { decodeCursor, encodeCursor } from '#libs/event-store';
import type { OutgoingMessage } from '#libs/messaging';
import { CLOUD_EVENT_HEADERS, sourceOf } from '../publish/cloud-event-form.ts';
import { sealDigest, type FullSeal, type Seal, type SealContent } from './seal.ts';

export const SEAL_TYPE = 'eci-fleet.audit.sealed.v1';

/** One key for all seals: one partition, so they stay in order. */
const SEAL_KEY = 'audit-seals';

/** Seal and entries as they travel, are read over HTTP, and are kept by auditors. */
export const SealView = z
  .object({
    fleet: z.string(),
    sequence: z.number().int().min(1),
    /** Digest of the seal before, hex; zeros for the first. */
    previous: z.string(),
    merkleRoot: z.string(),
    events: z.number().int().min(1),
    /** Its events lie after this cursor … */
    from: z.string(),
    /** … and up to this one. */
    through: z.string(),
    /** Earliest and latest time at which PostgreSQL recorded its events. */
    recordedFrom: z.string(),
    recordedTo: z.string(),
    sealedAt: z.string(),
    /** SHA-256, hex, over RFC 8785 JSON of all of the above with `format`. */
    digest: z.string(),
    /** Absent: nobody signed. */
    keyId: z.string().optional(),
    /** Compact JWS (EdDSA) over what the digest is taken of. */
    signature: z.string().optional(),
    /** Whoever configured the key said that the seal before, which bears no signature of it, is to be followed. */
    accepted: z.literal(true).optional(),
  })
  .meta({ id: 'Seal' });
export type SealView = z.infer<typeof SealView>;

/** `[stream, version, type, recorded at, digest]` of each event, in the order of the leaves. */
const EntryRow = z.tuple([z.string(), z.number().int(), z.string(), z.string(), z.string()]);

const SealData = SealView.extend({ entries: z.array(EntryRow) });

const SealEvent = z.object({ type: z.literal(SEAL_TYPE), data: SealData });

export function sealView(seal: Seal): SealView {
  const { from, through, fleet, sequence, previous, merkleRoot, events, recordedFrom, recordedTo, sealedAt } = seal;
  return {
    fleet,
    sequence,
    previous,
    merkleRoot,
    events,
    from: encodeCursor(from),
    through: encodeCursor(through),
    recordedFrom,
    recordedTo,
    sealedAt,
    digest: seal.digest,
    ...(seal.keyId !== undefined && { keyId: seal.keyId }),
    ...(seal.signature !== undefined && { signature: seal.signature }),
    ...(seal.accepted && { accepted: true }),
  };
}

/** A seal as CloudEvent. Its id is its digest: the same seal told twice is one event, another seal of the same number is another. */
export function sealMessage(seal: FullSeal): OutgoingMessage {
  const body = {
    specversion: '1.0',
    id: seal.digest,
    source: sourceOf(seal.fleet),
    type: SEAL_TYPE,
    subject: SEAL_KEY,
    time: seal.sealedAt,
    datacontenttype: 'application/json',
    partitionkey: SEAL_KEY,
    sequence: String(seal.sequence),
    sequencetype: 'Integer',
    data: {
      ...sealView(seal),
      entries: seal.entries.map((e) => [e.streamId, e.version, e.type, e.recordedAt, e.digest]),
    },
  };
  return { key: SEAL_KEY, value: Buffer.from(JSON.stringify(body), 'utf8'), headers: CLOUD_EVENT_HEADERS };
}

/** The seal in a CloudEvent of the feed; undefined for other events. @throws Error for a seal that breaks its schema. */
export function sealFromEvent(event: unknown): FullSeal | undefined {
  if ((event as { type?: unknown } | null)?.type !== SEAL_TYPE) return undefined;
  const parsed = SealEvent.safeParse(event);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`a seal of the feed breaks its schema at ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { entries, from, through, keyId, signature, accepted, ...data } = parsed.data.data;
  return {
    ...data,
    from: decodeCursor(from),
    through: decodeCursor(through),
    ...(keyId !== undefined && { keyId }),
    ...(signature !== undefined && { signature }),
    ...(accepted && { accepted }),
    entries: entries.map(([streamId, version, type, recordedAt, digest]) => ({
      streamId,
      version,
      type,
      recordedAt,
      digest,
    })),
  };
}

/** Whether a seal hashes to the digest that it bears. */
export function isWhole(seal: SealContent & { readonly digest: string }): boolean {
  return sealDigest(seal) === seal.digest;
}
