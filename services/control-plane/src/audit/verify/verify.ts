import { compareCursors, BEGINNING } from '#libs/event-store';
import { SignatureCheck, type Signatures, type SignedSince } from './signature-check.ts';
import { isWhole } from '../seal-message.ts';
import { NO_SEAL, rootOf, type FullSeal, type Seal, type SealEntry } from '../seal.ts';
import type { AuditKeyRing } from '../audit-key.ts';
import { compareEntries } from './compare-entries.ts';
import { EventScan } from './event-scan.ts';
import { checkStream } from './stream-check.ts';
import { nameWhatIsNoEvidence } from './compare-published.ts';
import { Findings, type Finding } from './finding.ts';
import type { Bound, HistoricEvent, History } from './history.ts';
import type { PublishedSeals } from './published-copy.ts';

const SEALS = 200;

/** A seal is made within seconds; one that comes later than this says less. */
const LATE_MS = 60_000;

/** Events of one batch beyond what its seal says that are still named one by one. */
const MOST_INSERTED = 1_000;

export interface VerifyOptions {
  readonly history: History;
  /** Keys from outside the store: the auditor's file, and the key in use. */
  readonly trusted: AuditKeyRing;
  /** Keys that the store itself tells: good for catching mistakes, no evidence against whoever can write there. */
  readonly untrusted: AuditKeyRing;
  readonly published?: PublishedSeals;
  readonly from?: Bound;
  readonly to?: Bound;
  /** From here on a seal without a trusted signature is a finding, whatever comes after it. */
  readonly signedSince?: SignedSince;
  /** Time of the check, ISO; with it an old log without any seal is a finding, when there are keys to trust. */
  readonly now?: string;
  readonly signal?: AbortSignal;
  /** Told now and then how many events were checked. */
  readonly onProgress?: (events: number) => void;
  /** Findings that were made elsewhere are joined to these. */
  readonly findings?: Findings;
}

export interface Verified {
  readonly findings: readonly Finding[];
  /** Findings beyond those in the list. */
  readonly unnamed: number;
  readonly seals: number;
  readonly firstSeal: Seal | undefined;
  readonly lastSeal: Seal | undefined;
  /** Events read and hashed, the unsealed ones among them. */
  readonly events: number;
  readonly sealedEvents: number;
  readonly signatures: Signatures;
  /** Seals compared with their published copies. */
  readonly compared: { readonly seals: number; readonly first: number | undefined; readonly last: number | undefined };
  /** Seals that were made over a minute after their oldest event: proven unchanged since `until` at the latest, not since they were recorded. */
  readonly late: { readonly seals: number; readonly until: string } | undefined;
  /** Events after the last seal: nothing but their own digests vouches for them yet. */
  readonly unsealed: { readonly events: number; readonly since: string | undefined };
}

/**
 * Walks through the log once, in order: every event is hashed anew, every batch's root, every link of the chain and every signature checked, and
 * compared with what was published. Whatever does not fit is named; nothing ends the walk early.
 */
export async function verify(options: VerifyOptions): Promise<Verified> {
  return new Walk(options).run();
}

class Walk {
  private readonly options: VerifyOptions;
  private readonly findings: Findings;
  private readonly signatures: SignatureCheck;
  private previous: Seal | undefined;
  /** Seals are missing before the next one: the events that they covered are nobody's insertion. */
  private afterGap = false;
  private scan!: EventScan;
  private first: Seal | undefined;
  private seals = 0;
  private events = 0;
  private sealedEvents = 0;
  private compared = 0;
  private late: Verified['late'];
  private firstCompared: number | undefined;
  private lastCompared: number | undefined;

  constructor(options: VerifyOptions) {
    this.options = options;
    this.findings = options.findings ?? new Findings();
    this.signatures = new SignatureCheck({ ...options, findings: this.findings });
  }

  async run(): Promise<Verified> {
    const { published, history } = this.options;
    if (published) nameWhatIsNoEvidence(published, this.findings);
    const tables = await history.twoFacedTables();
    for (const { table, fault } of tables) this.findings.add({ kind: 'changed-table', table }, fault);
    let unsealed: Verified['unsealed'] = { events: 0, since: undefined };
    try {
      const begin = await this.begin();
      if (begin !== undefined) await this.walk(begin);
      unsealed = await this.tail(begin !== undefined || this.options.from === undefined);
    } catch (error) {
      // What cannot be read any more through a table that was changed is no news; anything else is.
      const [first] = tables;
      if (!first) throw error;
      this.findings.add({ kind: 'changed-table', table: first.table }, `nothing more could be read: ${String(error)}`);
    }
    const signatures = this.signatures.result(this.options.to === undefined);
    return {
      findings: this.findings.list,
      unnamed: this.findings.unnamed,
      seals: this.seals,
      firstSeal: this.first,
      lastSeal: this.previous,
      events: this.events,
      sealedEvents: this.sealedEvents,
      signatures,
      compared: { seals: this.compared, first: this.firstCompared, last: this.lastCompared },
      late: this.late,
      unsealed,
    };
  }

  /** The first seal to check; what comes before it is taken as it is. */
  private async begin(): Promise<number | undefined> {
    const { history, from } = this.options;
    const begin = from === undefined ? 1 : await history.firstSealFor(from);
    if (begin !== undefined && begin > 1) {
      const [before] = await history.seals(begin - 1, 1);
      if (before?.sequence === begin - 1) this.previous = before;
    }
    // The seal before may be missing; what it covered is not ours to judge then.
    const [first] = this.previous || begin === undefined || begin === 1 ? [] : await history.seals(begin, 1);
    this.scan = new EventScan(history, this.previous?.through ?? first?.from);
    return begin;
  }

  private async walk(begin: number): Promise<void> {
    const { history, published, signal } = this.options;
    let expected = begin;
    let page = await history.seals(expected, SEALS);
    let at = 0;
    for (;;) {
      if (signal?.aborted) throw new Error('interrupted');
      if (at >= page.length && page.length > 0) {
        page = await history.seals(expected, SEALS);
        at = 0;
      }
      const stored = page[at];
      const last = published?.last ?? 0;
      if (!stored && expected > last) return;
      if (stored && stored.sequence < expected) {
        at += 1;
        continue;
      }
      const copy = await published?.get(expected);
      if (stored?.sequence === expected) {
        if (this.isBeyond(stored)) return;
        at += 1;
        await this.check(stored, copy);
        expected += 1;
      } else if (copy) {
        if (this.isBeyond(copy)) return;
        this.findings.add({ kind: 'missing-seal', seal: expected }, 'it was published, and is not stored');
        await this.batch(copy, copy);
        this.note(copy);
        expected += 1;
      } else {
        const next =
          stored?.sequence ??
          (published?.first !== undefined && published.first > expected ? published.first : expected + 1);
        const range = next - 1 === expected ? `seal ${expected} is` : `seals ${expected} to ${next - 1} are`;
        this.findings.add({ kind: 'missing-seal', seal: expected }, `${range} not stored, and the next one is there`);
        this.previous = undefined;
        this.afterGap = true;
        expected = next;
      }
    }
  }

  /** One seal that is stored, beside its published copy where there is one. */
  private async check(seal: Seal, copy: FullSeal | undefined): Promise<void> {
    const { sequence } = seal;
    if (!isWhole(seal)) this.findings.add({ kind: 'changed-seal', seal: sequence }, 'it does not hash to its digest');
    this.link(seal);
    if (copy) {
      this.compared += 1;
      this.firstCompared ??= sequence;
      this.lastCompared = sequence;
      if (copy.digest !== seal.digest)
        this.findings.add(
          { kind: 'changed-seal', seal: sequence },
          `its digest is ${seal.digest}, the published one says ${copy.digest}; that one is ${this.signatures.describe(copy)}${copy.merkleRoot === seal.merkleRoot ? ', over the same events' : ''}`,
        );
    }
    this.signatures.check(seal);
    await this.batch(seal, copy);
    this.note(seal);
  }

  private link(seal: Seal): void {
    const { sequence, previous, from } = seal;
    const before = this.previous;
    if (!before && sequence > 1) return;
    if (previous !== (before?.digest ?? NO_SEAL))
      this.findings.add(
        { kind: 'broken-chain', seal: sequence },
        `it follows a seal ${previous}, and the one before it is ${before?.digest ?? 'none'}`,
      );
    if (compareCursors(from, before?.through ?? BEGINNING) !== 0)
      this.findings.add(
        { kind: 'broken-chain', seal: sequence },
        'its events do not begin where those of the seal before it end',
      );
  }

  /** The events that a seal covers: the published copy is believed before the stored one. */
  private async batch(seal: Seal, copy: FullSeal | undefined): Promise<void> {
    const truth = copy ?? seal;
    const { sequence } = seal;
    for await (const event of this.scan.through(truth.from)) {
      this.see(event, undefined);
      if (!this.afterGap)
        this.findings.add({ kind: 'inserted-event', event }, 'it lies in a stretch that no seal covers');
    }
    this.afterGap = false;
    const found: SealEntry[] = [];
    let count = 0;
    for await (const event of this.scan.through(truth.through)) {
      this.see(event, sequence);
      count += 1;
      if (found.length < truth.events + MOST_INSERTED) found.push(event);
    }
    this.sealedEvents += count;
    if (count === found.length && found.length > 0 && rootOf(found) === truth.merkleRoot) return;
    const sealed = copy?.entries ?? (await this.options.history.entries(sequence));
    const witness = copy ? `published seal ${sequence}` : `seal ${sequence}`;
    const sound = sealed !== undefined && sealed.length > 0 && rootOf(sealed) === truth.merkleRoot;
    if (!sound)
      this.findings.add(
        { kind: 'changed-seal', seal: sequence },
        `neither its events nor its own list of them add up to its Merkle root (${truth.events} events recorded from ${truth.recordedFrom} to ${truth.recordedTo})`,
      );
    if (sealed) compareEntries({ sealed, found, seal: sequence, witness, findings: this.findings });
  }

  private see(event: HistoricEvent, seal: number | undefined): void {
    this.events += 1;
    if (event.digest !== event.storedDigest)
      this.findings.add(
        { kind: 'changed-event', event, ...(seal !== undefined && { seal }) },
        `its content hashes to ${event.digest}, the digest stored beside it is ${event.storedDigest}`,
      );
    if (this.events % 10_000 === 0) this.options.onProgress?.(this.events);
  }

  private note(seal: Seal): void {
    this.first ??= seal;
    this.previous = seal;
    this.seals += 1;
    if (Date.parse(seal.sealedAt) - Date.parse(seal.recordedFrom) > LATE_MS)
      this.late = { seals: (this.late?.seals ?? 0) + 1, until: seal.sealedAt };
  }

  private isBeyond({ from, recordedFrom }: Seal): boolean {
    const { to } = this.options;
    if (!to) return false;
    return 'time' in to ? recordedFrom > to.time : compareCursors(from, to.cursor) >= 0;
  }

  /** Events that no seal covers yet: only their digests can be checked. Streams are read as every reader gets them. */
  private async tail(hasRange: boolean): Promise<Verified['unsealed']> {
    if (this.options.to !== undefined || !hasRange) return { events: 0, since: undefined };
    let events = 0;
    let since: string | undefined;
    for await (const event of this.scan.rest()) {
      this.see(event, undefined);
      events += 1;
      since ??= event.recordedAt;
    }
    for await (const event of this.scan.unsettled()) {
      this.see(event, undefined);
      if (event.isImpossible)
        this.findings.add(
          { kind: 'impossible-event', event },
          `it bears transaction ${event.cursor.transactionId}, which has not ended or not begun: whoever reads its stream comes upon it, and it is never sealed nor told on the feed`,
        );
      else {
        events += 1;
        since ??= event.recordedAt;
      }
    }
    const recordedSince = this.options.from && this.first?.recordedFrom;
    for (const face of await this.options.history.streamsAstray(recordedSince))
      checkStream(face, { isWhole: recordedSince === undefined, findings: this.findings });
    if (this.seals === 0 && since !== undefined && this.options.trusted.size > 0) this.noSeal(since);
    return { events, since };
  }

  /** A log is sealed within seconds, so an old one without a seal has lost them, or nobody seals. */
  private noSeal(since: string): void {
    const { now } = this.options;
    if (now !== undefined && Date.parse(now) - Date.parse(since) > LATE_MS)
      this.findings.add(
        { kind: 'missing-seal' },
        `there is no seal, though there are events since ${since}: seals were removed, or no process has role publish`,
      );
  }
}
