import type { AuditKeyRing } from '../audit-key.ts';
import { sealText, type Seal } from '../seal.ts';
import type { Findings } from './finding.ts';

/** The first seal, or the time of recording (UTC, with six digits) of the first events, that must be under a trusted signature. */
export type SignedSince = { readonly sequence: number } | { readonly time: string };

export interface Signatures {
  /** Seals that bear a good signature of a trusted key. */
  readonly good: number;
  /** The last of them: it vouches for everything before it, as it was at that time. */
  readonly last: Pick<Seal, 'sequence' | 'sealedAt' | 'through' | 'recordedTo'> | undefined;
  /** Key ids that signed, and which of them are known from the store alone. */
  readonly keys: readonly { readonly keyId: string; readonly trusted: boolean; readonly seals: number }[];
  readonly unsigned: number;
  /** Seals before the first trusted signature: vouched for only since then. */
  readonly vouchedLate: { readonly seals: number; readonly since: string } | undefined;
  /** Stretches without a trusted signature that a trusted key was told to follow. */
  readonly accepted: readonly { readonly first: number; readonly last: number; readonly since: string }[];
}

/** Follows the signatures along the chain. */
export class SignatureCheck {
  private readonly parts;
  private readonly keys = new Map<string, { trusted: boolean; seals: number }>();
  private readonly accepted: { first: number; last: number; since: string }[] = [];
  private good = 0;
  private unsigned = 0;
  private last: Seal | undefined;
  /** Those that no trusted signature vouches for yet. */
  private open: { readonly first: Seal; last: Seal; seals: number; firstRequired: number | undefined } | undefined;
  private vouchedLate: Signatures['vouchedLate'];

  constructor(parts: {
    readonly trusted: AuditKeyRing;
    readonly untrusted: AuditKeyRing;
    readonly findings: Findings;
    readonly signedSince?: SignedSince;
  }) {
    this.parts = parts;
  }

  check(seal: Seal): void {
    const isTrusted = this.isSignedByTrusted(seal);
    if (isTrusted) {
      if (this.open) this.close(this.open, seal);
      this.good += 1;
      this.last = seal;
      this.open = undefined;
      return;
    }
    this.open ??= { first: seal, last: seal, seals: 0, firstRequired: undefined };
    this.open.last = seal;
    this.open.seals += 1;
    if (this.isRequired(seal)) this.open.firstRequired ??= seal.sequence;
  }

  /** What a copy of a seal is worth, in words. */
  describe(seal: Seal): string {
    const { keyId, signature } = seal;
    if (keyId === undefined || signature === undefined) return 'not signed';
    return this.parts.trusted.check(sealText(seal), keyId, signature) === 'good'
      ? `signed by trusted key ${keyId}`
      : 'not signed by a trusted key';
  }

  /** @param toTheEnd Whether the newest seal was reached. */
  result(toTheEnd: boolean): Signatures {
    const { open } = this;
    if (open) this.require(open);
    if (toTheEnd && this.parts.trusted.size > 0 && open)
      this.parts.findings.add(
        { kind: 'unsigned', seal: open.first.sequence },
        this.last
          ? `no trusted key has signed since seal ${this.last.sequence}: what comes after it is chained, and anybody who can write to the store can make such a chain`
          : 'no seal bears a signature of a trusted key: anybody who can write to the store can make such a chain',
      );
    return {
      good: this.good,
      last: this.last,
      keys: [...this.keys].map(([keyId, { trusted, seals }]) => ({ keyId, trusted, seals })),
      unsigned: this.unsigned,
      vouchedLate: this.vouchedLate,
      accepted: this.accepted,
    };
  }

  private isSignedByTrusted(seal: Seal): boolean {
    const { findings } = this.parts;
    const { sequence, keyId, signature } = seal;
    if (keyId !== undefined && signature === undefined)
      findings.add({ kind: 'bad-signature', seal: sequence }, `it names key ${keyId} and bears no signature`);
    if (keyId === undefined || signature === undefined) {
      this.unsigned += 1;
      return false;
    }
    const trusted = this.parts.trusted.has(keyId);
    const result = (trusted ? this.parts.trusted : this.parts.untrusted).check(sealText(seal), keyId, signature);
    if (result === 'unknown-key') {
      findings.add({ kind: 'bad-signature', seal: sequence }, `it is signed by key ${keyId}, which nobody knows`);
      return false;
    }
    if (result === 'bad') {
      findings.add(
        { kind: 'bad-signature', seal: sequence },
        `the signature of key ${keyId} does not fit: the seal was changed, or made anew over other events (${batch(seal)})`,
      );
      return false;
    }
    const known = this.keys.get(keyId) ?? { trusted, seals: 0 };
    known.seals += 1;
    this.keys.set(keyId, known);
    return trusted;
  }

  /** A trusted key signs again, over seals that none has signed. */
  private close(open: NonNullable<SignatureCheck['open']>, by: Seal): void {
    this.require(open);
    const { first, last, seals } = open;
    if (by.accepted) this.accepted.push({ first: first.sequence, last: last.sequence, since: by.sealedAt });
    if (!this.last) this.vouchedLate = { seals, since: by.sealedAt };
    else if (!by.accepted)
      this.parts.findings.add(
        { kind: 'unsigned', seal: first.sequence },
        `${run(first.sequence, last.sequence)} signed by no trusted key, between seal ${this.last.sequence} and seal ${by.sequence}, which are, and nobody said that they are to be followed: they can be a history made anew`,
      );
  }

  private require({ firstRequired, last }: NonNullable<SignatureCheck['open']>): void {
    if (firstRequired !== undefined)
      this.parts.findings.add(
        { kind: 'unsigned', seal: firstRequired },
        `${run(firstRequired, last.sequence)} signed by no trusted key, and signatures are required there`,
      );
  }

  private isRequired({ sequence, recordedTo }: Seal): boolean {
    const { signedSince } = this.parts;
    if (!signedSince) return false;
    return 'time' in signedSince ? recordedTo >= signedSince.time : sequence >= signedSince.sequence;
  }
}

const run = (first: number, last: number): string =>
  first === last ? `seal ${first} is` : `seals ${first} to ${last} are`;

const batch = ({ events, recordedFrom, recordedTo }: Seal): string =>
  `${events} of them, recorded from ${recordedFrom} to ${recordedTo}`;
