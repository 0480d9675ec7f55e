import { PostgresCatalogue, type JsonObject, type SqlClient } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { FailedStream, Folded } from '../rebuild/tables-beside.ts';
import type { ContainerGroupRecord } from './container-group.entity.ts';
import { containerGroupRow } from './container-group-row.ts';

/** Parts of an accepted intent that no row shows, and that make up most of its bytes; and what is read in their place. */
const UNSHOWN: JsonObject = { clearPod: {}, spec: {}, digests: {}, tokens: [], ignored: [], hidden: '' };

/** An accepted intent without the parts that no row shows. */
export const shown = (data: JsonObject): JsonObject => ({ ...data, ...UNSHOWN });

/** Rows of these streams as of their newest events, with `containerGroupRow`, the one function that makes rows. */
export async function foldStreams(
  client: SqlClient,
  streamIds: readonly string[],
): Promise<Folded<ContainerGroupRecord>> {
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
