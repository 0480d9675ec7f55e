import { compareCursors } from '#libs/event-store';
import { keyOf } from './compare-entries.ts';
import type { Findings } from './finding.ts';
import type { Bound, HistoricEvent, History } from './history.ts';
import type { PublishedEvent, PublishedSeals } from './published-copy.ts';

/** Events looked up at a time. */
const BATCH = 500;

/** Compares the events that the feed told with those that are stored, one by one. */
export class PublishedEvents {
  private readonly history: Pick<History, 'find'>;
  private readonly findings: Findings;
  private readonly range: { readonly from?: Bound; readonly to?: Bound };
  /** Events compared; one that was told twice counts twice. */
  count = 0;

  constructor(
    history: Pick<History, 'find'>,
    findings: Findings,
    range: { readonly from?: Bound; readonly to?: Bound } = {},
  ) {
    this.history = history;
    this.findings = findings;
    this.range = range;
  }

  async compare(events: readonly PublishedEvent[]): Promise<void> {
    const wanted = events.filter((event) => this.isInRange(event));
    for (let at = 0; at < wanted.length; at += BATCH) await this.compareBatch(wanted.slice(at, at + BATCH));
  }

  private async compareBatch(events: readonly PublishedEvent[]): Promise<void> {
    this.count += events.length;
    const stored = new Map<string, HistoricEvent[]>();
    for (const event of await this.history.find(events)) {
      const key = keyOf(event);
      stored.set(key, [...(stored.get(key) ?? []), event]);
    }
    for (const event of events) {
      const { streamId, version, type, recordedAt, digest } = event;
      const found = stored.get(keyOf(event)) ?? [];
      const named = { streamId, version, type, recordedAt };
      if (found.length === 0)
        this.findings.add({ kind: 'missing-event', event: named }, 'the feed told it, and it is not stored');
      else if (!found.some((each) => each.digest === digest))
        this.findings.add(
          { kind: 'changed-event', event: found[0] ?? named },
          `its content hashes to ${found[0]?.digest}, on the feed it said ${digest}`,
        );
    }
  }

  private isInRange({ recordedAt, cursor }: PublishedEvent): boolean {
    const { from, to } = this.range;
    return (!from || !isBefore(from, recordedAt, cursor, false)) && (!to || isBefore(to, recordedAt, cursor, true));
  }
}

/** Published copies that contradict each other or themselves prove nothing, and that is said. */
export function nameWhatIsNoEvidence({ forked, unsound, unreadable }: PublishedSeals, findings: Findings): void {
  for (const seal of forked)
    findings.add({ kind: 'published-copy', seal }, 'two different seals of this number were published');
  for (const seal of unsound)
    findings.add({ kind: 'published-copy', seal }, 'the published copy does not hash to its own digest: no evidence');
  if (unreadable > 0)
    findings.add({ kind: 'published-copy' }, `${unreadable} published seals break their schema: no evidence`);
}

/** Whether an event lies before a bound (or at it, when it is included); an event without a cursor lies everywhere. */
function isBefore(bound: Bound, recordedAt: string, cursor: PublishedEvent['cursor'], included: boolean): boolean {
  if ('time' in bound) return included ? recordedAt <= bound.time : recordedAt < bound.time;
  if (!cursor) return included;
  const order = compareCursors(cursor, bound.cursor);
  return included ? order <= 0 : order < 0;
}
