import type { JsonObject, SqlClient } from '#libs/event-store';
import { errorMessage } from '#libs/observability';
import type { ContainerGroupRecord } from '../container-groups/container-group.entity.ts';
import { containerGroupRow, type PlacedFact } from '../container-groups/container-group-row.ts';

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

type Told = readonly [version: number, type: string, schemaVersion: number, decidedAt: string, data: JsonObject];

/**
 * Rows of these streams as of their newest events, with `containerGroupRow`, the one function that makes rows. One row of the answer is a stream:
 * a hundred thousand small rows would cost the driver more than their events cost the fold.
 */
export async function foldStreams(client: SqlClient, streamIds: readonly string[]): Promise<Folded> {
  const rows = await client.query(
    `select e.stream_id,
            json_agg(json_build_array(e.version, e.type, e.schema_version, e.metadata ->> 'decidedAt',
                                      case when e.type = 'PodIntentAccepted' then e.data - $2::text[] else e.data - 'hidden' end) order by e.version)::text as told
       from es.load($1) e group by e.stream_id`,
    [streamIds, Object.keys(UNSHOWN)],
  );
  const made: ContainerGroupRecord[] = [];
  const failed: FailedStream[] = [];
  let events = 0;
  for (const row of rows) {
    const streamId = String(row['stream_id']);
    const facts = (JSON.parse(String(row['told'])) as readonly Told[]).map(
      ([version, type, schemaVersion, decidedAt, data]): PlacedFact => ({
        streamId,
        version,
        type,
        schemaVersion,
        data: type === 'PodIntentAccepted' ? shown(data) : data,
        metadata: { decidedAt },
      }),
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
