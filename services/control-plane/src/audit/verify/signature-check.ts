import type { AuditKeyRing } from '../audit-key.ts';
import { sealText, type Seal } from '../seal.ts';
import type { Findings } from './finding.ts';

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
}

/** Follows the signatures along the chain. */
export class SignatureCheck {
  private readonly trusted: AuditKeyRing;
  private readonly untrusted: AuditKeyRing;
  private readonly findings: Findings;
  private readonly keys = new Map<string, { trusted: boolean; seals: number }>();
  private good = 0;
  private unsigned = 0;
  private last: Seal | undefined;
  /** First of those that no trusted signature vouches for yet. */
  private open: Seal | undefined;
  private waiting = 0;
  private vouchedLate: Signatures['vouchedLate'];

  constructor(trusted: AuditKeyRing, untrusted: AuditKeyRing, findings: Findings) {
    this.trusted = trusted;
    this.untrusted = untrusted;
    this.findings = findings;
  }

  check(seal: Seal): void {
    this.open ??= seal;
    this.waiting += 1;
    const { sequence, keyId, signature } = seal;
    if (keyId !== undefined && signature === undefined)
      this.findings.add({ kind: 'bad-signature', seal: sequence }, `it names key ${keyId} and bears no signature`);
    if (keyId === undefined || signature === undefined) {
      this.unsigned += 1;
      return;
    }
    const trusted = this.trusted.has(keyId);
    const result = (trusted ? this.trusted : this.untrusted).check(sealText(seal), keyId, signature);
    if (result === 'unknown-key') {
      this.findings.add({ kind: 'bad-signature', seal: sequence }, `it is signed by key ${keyId}, which nobody knows`);
      return;
    }
    if (result === 'bad') {
      this.findings.add(
        { kind: 'bad-signature', seal: sequence },
        `the signature of key ${keyId} does not fit: the seal was changed, or made anew over other events (${batch(seal)})`,
      );
      return;
    }
    const known = this.keys.get(keyId) ?? { trusted, seals: 0 };
    known.seals += 1;
    this.keys.set(keyId, known);
    if (!trusted) return;
    if (this.waiting > 1 && this.good === 0) this.vouchedLate = { seals: this.waiting - 1, since: seal.sealedAt };
    this.good += 1;
    this.last = seal;
    this.open = undefined;
    this.waiting = 0;
  }

  /** What a copy of a seal is worth, in words. */
  describe(seal: Seal): string {
    const { keyId, signature } = seal;
    if (keyId === undefined || signature === undefined) return 'not signed';
    return this.trusted.check(sealText(seal), keyId, signature) === 'good'
      ? `signed by trusted key ${keyId}`
      : 'not signed by a trusted key';
  }

  /** @param toTheEnd Whether the newest seal was reached. */
  result(toTheEnd: boolean): Signatures {
    if (toTheEnd && this.trusted.size > 0 && this.open)
      this.findings.add(
        { kind: 'unsigned', seal: this.open.sequence },
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
    };
  }
}

const batch = ({ events, recordedFrom, recordedTo }: Seal): string =>
  `${events} of them, recorded from ${recordedFrom} to ${recordedTo}`;
