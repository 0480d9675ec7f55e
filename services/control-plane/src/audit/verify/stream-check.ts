import type { Findings, NamedEvent } from './finding.ts';
import type { StreamFace } from './history.ts';

/** Missing versions of one stream that are named; more are counted. */
const MOST_NAMED = 10;

/**
 * Names what is wrong with a stream as readers find it. Seals say which events there were; this says whether readers come upon every one of them, and
 * upon no other, which holds for events that are not sealed yet as well.
 */
export function checkStream(
  face: StreamFace,
  { isWhole, findings }: { /** Its first versions are not in an archive. */ isWhole: boolean; findings: Findings },
): void {
  const { streamId, head, events } = face;
  for (const event of events)
    if (event.isHidden)
      findings.add(
        { kind: 'hidden-event', event: named(event) },
        head === undefined
          ? 'its stream has no head, so readers do not find it'
          : `the head of its stream (${head} events) leaves it out, so readers do not find it`,
      );
  let next = isWhole ? 1 : (events[0]?.version ?? 1);
  let missing = 0;
  const gap = (end: number): void => {
    for (let version = next; version <= end && missing + version - next < MOST_NAMED; version++)
      findings.add(
        { kind: 'missing-event', event: { streamId, version, type: 'unknown', recordedAt: 'unknown' } },
        head === undefined
          ? 'its stream goes on after it'
          : `the head of its stream says ${head} events, and they end at ${events.at(-1)?.version ?? 0}`,
      );
    missing += Math.max(0, end - next + 1);
  };
  let before: StreamFace['events'][number] | undefined;
  for (const event of events) {
    if (event.version === before?.version)
      findings.add({ kind: 'inserted-event', event: named(event) }, 'its stream has two events of this version');
    else if (event.version < next)
      findings.add({ kind: 'inserted-event', event: named(event) }, 'versions of a stream begin at 1');
    else {
      gap(event.version - 1);
      next = event.version + 1;
    }
    before = event;
  }
  gap(head ?? 0);
}

const named = ({ streamId, version, type, recordedAt }: NamedEvent): NamedEvent => ({
  streamId,
  version,
  type,
  recordedAt,
});
