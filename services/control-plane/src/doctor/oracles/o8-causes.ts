import type { StoredEvent, StreamFacts } from '../facts.ts';
import type { Finding } from '../finding.ts';

/** What must have been said before in the same stream; one of them is enough. */
const CAUSES: Readonly<Record<string, readonly string[]>> = {
  PlacementChosen: ['PodIntentAccepted'],
  ContainerGroupCreated: ['PlacementChosen'],
  CreateRefused: ['PlacementChosen'],
  CreateOutcomeUnknown: ['PlacementChosen'],
  Adopted: ['PodIntentAccepted'],
  ContainerGroupLanded: ['ContainerGroupCreated', 'Adopted'],
  ContainersChanged: ['ContainerGroupCreated', 'Adopted'],
  SchedulingFailed: ['ContainerGroupCreated', 'Adopted'],
  ContainerGroupSucceeded: ['ContainerGroupCreated', 'Adopted'],
  ContainerGroupExpired: ['ContainerGroupCreated', 'Adopted'],
  Unparked: ['Parked'],
  DeleteAccepted: ['StopRequested', 'OrphanFound'],
};

/**
 * O8, one stream: whatever follows from something stands behind it, in the stream's order and by the database's clock. Clocks of agents and replicas
 * may differ, so `decidedAt` proves nothing.
 */
export function causesComeFirst({ streamId, events }: StreamFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const said = new Set<string>();
  const versions = new Map(events.map((event) => [event.eventId, event.version]));
  let before: StoredEvent | undefined;
  const say = (event: StoredEvent, kind: string, what: string): void => {
    findings.push({
      oracle: 'O8',
      kind: `${kind}-${event.version}`,
      what: `version ${event.version} (${event.type}) ${what}`,
      where: { stream: streamId },
      since: event.recordedAt,
      next: 'npm run fleet -- audit verify says whether events were changed or put in; else report it',
    });
  };
  for (const event of events) {
    const causes = CAUSES[event.type];
    if (causes && !causes.some((type) => said.has(type)))
      say(event, 'without-cause', `stands before any ${causes.join(' or ')}`);
    if (before && event.recordedAt < before.recordedAt) say(event, 'back-in-time', 'is older than the one before it');
    const cause = versions.get(event.metadata.causationId ?? '');
    if (cause !== undefined && cause >= event.version)
      say(event, 'before-its-cause', `names version ${cause} as its cause`);
    said.add(event.type);
    before = event;
  }
  return findings;
}
