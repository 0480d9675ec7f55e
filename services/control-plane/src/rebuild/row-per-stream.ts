import { holdStreams } from '#libs/event-store';
import type { Projection } from '../streams/projection.ts';
import { differencesOf } from './compare-rows.ts';
import { rebuildInPlace } from './rebuild-in-place.ts';
import { writeRows, type RowPerStream } from './stream-rows.ts';

/** Streams of one statement. */
const AT_ONCE = 500;

/**
 * The projection that keeps such rows: prompt, since people decide on them. Each row is written while its stream stands still, by all of its events:
 * so any number of processes may write at once, and none writes what is older.
 */
export function rowPerStream(rows: RowPerStream): Projection {
  const types = new Set(rows.types);
  return {
    name: rows.name,
    tables: [rows.table],
    tells: ({ streamId, type }) => streamId.startsWith(rows.streams) && types.has(type),
    isPrompt: true,
    async apply(streamIds, transaction) {
      const sorted = streamIds.toSorted();
      for (let start = 0; start < sorted.length; start += AT_ONCE) {
        const part = sorted.slice(start, start + AT_ONCE);
        await holdStreams(transaction, part);
        await writeRows(rows, transaction, part);
      }
    },
    differences: (client) => differencesOf(rows, client),
    rebuild: (parts, options) => rebuildInPlace(rows, parts, options),
  };
}
