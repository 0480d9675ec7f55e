import { digestOf } from '#libs/event-store';
import type { StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

const RESTORE =
  'npm run fleet -- audit verify says what was changed; compare with a backup or with the feed eci-fleet.events.v1, and find out who can write to schema es';

/** O4, one stream: versions run from 1 without a gap to that of the head, and every event still has the digest that it was stored with. */
export function streamIsDenseAndUnchanged({ streamId, head, events }: StreamFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const say = (kind: string, what: string, since?: string): void => {
    findings.push({
      oracle: 'O4',
      kind,
      what,
      where: { stream: streamId },
      ...(since !== undefined && { since }),
      next: RESTORE,
    });
  };
  let before: { readonly version: number; readonly recordedAt: string } | undefined;
  for (const event of events) {
    const expected = (before?.version ?? 0) + 1;
    if (event.version !== expected)
      say('gap', `version ${expected} is not there: the next one is ${event.version}`, event.recordedAt);
    if (!same(digestOf(streamId, event.version, event), event.digest))
      say(`changed-${event.version}`, `version ${event.version} does not have its digest any more`, event.recordedAt);
    before = event;
  }
  if ((before?.version ?? 0) !== head.version)
    say('head', `the head says version ${head.version}, the last event is ${before?.version ?? 0}`, before?.recordedAt);
  return findings;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}
