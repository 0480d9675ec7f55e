/** An event, as a finding names it. */
export interface NamedEvent {
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  /** UTC, with as many digits as its witness keeps. */
  readonly recordedAt: string;
}

export type FindingKind =
  | 'changed-event'
  | 'missing-event'
  | 'inserted-event'
  | 'moved-event'
  | 'impossible-event'
  | 'hidden-event'
  | 'changed-seal'
  | 'missing-seal'
  | 'broken-chain'
  | 'bad-signature'
  | 'unsigned'
  | 'published-copy'
  | 'changed-table';

export interface Finding {
  readonly kind: FindingKind;
  /** Absent when only a batch can be named. */
  readonly event?: NamedEvent;
  /** Sequence of the seal that covers it. */
  readonly seal?: number;
  /** With its schema. */
  readonly table?: string;
  /** What did not fit, each a sentence. */
  readonly checks: readonly string[];
}

/** Findings kept with their names; more are counted. */
const MAX_NAMED = 1_000;

/** Gathers findings: one for each event and kind, however many checks it fails; bounded in memory. */
export class Findings {
  private readonly named = new Map<string, { finding: Finding; checks: string[] }>();
  private more = 0;

  add(finding: Omit<Finding, 'checks'>, check: string): void {
    const { kind, event, seal, table } = finding;
    // An event that does not belong here may be false in itself as well: that is one finding, the graver one.
    const isExtra = kind === 'changed-event' || kind === 'inserted-event';
    const key = event
      ? `${isExtra ? 'stored' : kind} ${event.version} ${event.streamId}`
      : table === undefined
        ? `${kind} seal ${seal ?? '-'} ${check}`
        : `${kind} ${table}`;
    const known = this.named.get(key);
    if (known) {
      if (!known.checks.includes(check)) known.checks.push(check);
      if (kind === 'inserted-event') known.finding = { ...known.finding, kind };
    } else if (this.named.size < MAX_NAMED) {
      const checks = [check];
      this.named.set(key, { finding: { ...finding, checks }, checks });
    } else {
      this.more += 1;
    }
  }

  get list(): readonly Finding[] {
    return [...this.named.values()].map(({ finding }) => finding);
  }

  /** Found beyond those in the list. */
  get unnamed(): number {
    return this.more;
  }

  get none(): boolean {
    return this.named.size === 0;
  }
}
