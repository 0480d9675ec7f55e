import { PostgresCatalogue, type JsonObject, type SqlClient } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { ContainerGroupRecord } from '../container-groups/container-group.entity.ts';
import { containerGroupRow } from '../container-groups/container-group-row.ts';

/** Rows of streams, and those whose events cannot be folded. */
export interface Folded {
  readonly rows: readonly ContainerGroupRecord[];
  readonly failed: readonly FailedStream[];
  readonly events: number;
}

export interface FailedStream {
  readonly streamId: string;
  /** Its last event. */
  readonly version: number;
  readonly error: string;
}

/** Parts of an accepted intent that no row shows, and that make up most of its bytes; and what is read in their place. */
const UNSHOWN: JsonObject = { clearPod: {}, spec: {}, digests: {}, tokens: [], ignored: [], hidden: '' };

/** An accepted intent without the parts that no row shows. */
export const shown = (data: JsonObject): JsonObject => ({ ...data, ...UNSHOWN });

/** Rows of these streams as of their newest events, with `containerGroupRow`, the one function that makes rows. */
export async function foldStreams(client: SqlClient, streamIds: readonly string[]): Promise<Folded> {
  const streams = await new PostgresCatalogue(client).abridged(streamIds, {
    type: 'PodIntentAccepted',
    ofType: Object.keys(UNSHOWN),
    ofOthers: ['hidden'],
  });
  const made: ContainerGroupRecord[] = [];
  const failed: FailedStream[] = [];
  let events = 0;
  for (const [streamId, told] of streams) {
    const facts = told.map((event) =>
      event.type === 'PodIntentAccepted' ? { ...event, data: shown(event.data) } : event,
    );
    events += facts.length;
    try {
      made.push(containerGroupRow(facts));
    } catch (error) {
      failed.push({ streamId, version: facts.at(-1)?.version ?? 0, error: errorMessage(error) });
    }
  }
  return { rows: made, failed, events };
}
