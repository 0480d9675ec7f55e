import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { encodeCursor, type Cursor } from '#libs/event-store';
import { leafHash, merkleRoot } from './merkle.ts';

/** What a seal says of one event. The digest covers the event's content; this adds its place, and when the database recorded it. */
export interface SealEntry {
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  /** UTC with microseconds, as PostgreSQL keeps it: `2026-03-01T10:00:00.000000Z`. */
  readonly recordedAt: string;
  /** SHA-256, lower-case hex. */
  readonly digest: string;
}

/** What a seal is made of before it is hashed. */
export interface SealContent {
  readonly fleet: string;
  /** Dense, from 1. */
  readonly sequence: number;
  /** Digest of the seal before, hex; {@link NO_SEAL} for the first. */
  readonly previous: string;
  /** Hex. */
  readonly merkleRoot: string;
  readonly events: number;
  /** Its events lie after this … */
  readonly from: Cursor;
  /** … and up to this, the last of them. */
  readonly through: Cursor;
  /** Earliest and latest `recordedAt` of its events. */
  readonly recordedFrom: string;
  readonly recordedTo: string;
  /** UTC with milliseconds. */
  readonly sealedAt: string;
  /** RFC 7638 thumbprint (or configured `kid`) of the key that signs it; absent: unsigned. */
  readonly keyId?: string;
  /**
   * The seal before bears no signature of this key, and whoever configured the key said by its digest that it is to be followed all the same: the
   * record of a new key, or of a time without one.
   */
  readonly accepted?: true;
}

export interface Seal extends SealContent {
  /** SHA-256 of {@link sealText}, hex. */
  readonly digest: string;
  /** Compact JWS over {@link sealText}; absent: unsigned. */
  readonly signature?: string;
}

/** A seal with what its leaves are made of. */
export interface FullSeal extends Seal {
  readonly entries: readonly SealEntry[];
}

/** What the first seal calls the one before it. */
export const NO_SEAL = '0'.repeat(64);

/** Version 2 has one member more, and is used for the seals that have it alone: others stay readable for whoever knows version 1. */
export const formatOf = ({ accepted }: Pick<SealContent, 'accepted'>): 1 | 2 => (accepted ? 2 : 1);

/** The text of a leaf; JSON of strings and one whole number, so any JSON writer makes the same bytes. */
export function entryText({ streamId, version, type, recordedAt, digest }: SealEntry): string {
  return JSON.stringify([streamId, version, type, recordedAt, digest]);
}

/** Leaves of the tree over these events, in their order. */
export function leavesOf(entries: readonly SealEntry[]): readonly Buffer[] {
  return entries.map((entry, index) => leafHash(index, entryText(entry)));
}

/** Hex. */
export function rootOf(entries: readonly SealEntry[]): string {
  return merkleRoot(leavesOf(entries)).toString('hex');
}

/** What is hashed and signed: RFC 8785 JSON. Cursors are the opaque texts that pages and events carry. */
export function sealText(seal: SealContent): string {
  return canonicalize({
    format: `eci-fleet.seal.v${formatOf(seal)}`,
    fleet: seal.fleet,
    sequence: seal.sequence,
    previous: seal.previous,
    merkleRoot: seal.merkleRoot,
    events: seal.events,
    from: encodeCursor(seal.from),
    through: encodeCursor(seal.through),
    recordedFrom: seal.recordedFrom,
    recordedTo: seal.recordedTo,
    sealedAt: seal.sealedAt,
    keyId: seal.keyId,
    accepted: seal.accepted,
  })!;
}

export function sealDigest(seal: SealContent): string {
  return createHash('sha256').update(sealText(seal), 'utf8').digest('hex');
}

/** Signs the text of seals; see `AuditSigner`. */
export interface SealSigner {
  readonly keyId: string;
  sign(text: string): string;
}

/** The seal over a batch of events that follows `previous`. `entries` holds at least one. */
export function makeSeal(parts: {
  readonly fleet: string;
  /** The newest seal; undefined: there is none yet. */
  readonly previous: Pick<Seal, 'sequence' | 'digest'> | undefined;
  readonly from: Cursor;
  readonly through: Cursor;
  readonly entries: readonly SealEntry[];
  readonly sealedAt: string;
  readonly signer: SealSigner | undefined;
  /** See {@link SealContent.accepted}. */
  readonly accepted?: boolean;
}): FullSeal {
  const { fleet, previous, from, through, entries, sealedAt, signer, accepted = false } = parts;
  const times = entries.map((entry) => entry.recordedAt);
  const content: SealContent = {
    fleet,
    sequence: (previous?.sequence ?? 0) + 1,
    previous: previous?.digest ?? NO_SEAL,
    merkleRoot: rootOf(entries),
    events: entries.length,
    from,
    through,
    recordedFrom: times.reduce((a, b) => (a < b ? a : b)),
    recordedTo: times.reduce((a, b) => (a > b ? a : b)),
    sealedAt,
    ...(signer && { keyId: signer.keyId }),
    ...(accepted && { accepted }),
  };
  const text = sealText(content);
  return {
    ...content,
    digest: createHash('sha256').update(text, 'utf8').digest('hex'),
    ...(signer && { signature: signer.sign(text) }),
    entries,
  };
}
