import { asSqlClient, checkpointTransaction, holdStreams } from '#libs/event-store';
import {
  refuseStopped,
  type Difference,
  type RebuildOptions,
  type RebuildParts,
  type Rebuilt,
} from '../streams/projection.ts';
import { compareRows, pagesOf } from './compare-rows.ts';
import { inTransaction } from '../transaction.ts';
import { writeRows, type RowPerStream } from './stream-rows.ts';

/** A row that differs may be one that another process is just writing, after an append of a moment ago: how long to wait for it. */
const LAG_MS = 500;

/**
 * Compares each row with the events of its stream, and writes those anew that differ: looked at once more after a moment, and while the stream stands
 * still. All who read and write go on. A crash leaves rows that are right, and rows that are as they were. Throws {@link RebuildStopped}.
 */
export async function rebuildInPlace(
  rows: RowPerStream,
  { pool, clock }: RebuildParts,
  { compareOnly = false, most = 100, progress = () => undefined, signal }: RebuildOptions,
): Promise<Rebuilt> {
  const beganAt = clock.now();
  const differences: Difference[] = [];
  const failed: string[] = [];
  const seen = { rows: 0, streams: 0, events: 0 };
  for await (const page of pagesOf(rows, asSqlClient(pool))) {
    refuseStopped(signal);
    const first = await compareRows(rows, asSqlClient(pool), page);
    seen.rows += first.rows;
    seen.streams += page.length;
    seen.events += first.events;
    const suspects = [...first.differences, ...first.failed].map(({ streamId }) => streamId).sort();
    if (suspects.length === 0) continue;
    await clock.sleep(LAG_MS, signal);
    const second = await inTransaction(pool, async (client) => {
      const transaction = asSqlClient(client);
      await holdStreams(transaction, suspects);
      const found = await compareRows(rows, transaction, suspects);
      const broken = new Set(found.failed.map(({ streamId }) => streamId));
      if (compareOnly) return found;
      await writeRows(
        rows,
        transaction,
        suspects.filter((streamId) => !broken.has(streamId)),
      );
      for (const { streamId, version, error } of found.failed)
        await checkpointTransaction('project', transaction).park({ streamId, version }, error);
      return found;
    });
    differences.push(...second.differences);
    failed.push(...second.failed.map(({ streamId }) => streamId));
  }
  const seconds = (clock.now() - beganAt) / 1000;
  progress(`${rows.name}: ${seen.streams} streams looked at in ${seconds.toFixed(1)} s`);
  return {
    ...seen,
    ...{ moving: 0, seconds, failed, taken: !compareOnly },
    differences: differences.slice(0, most),
    more: differences.length > most,
  };
}
