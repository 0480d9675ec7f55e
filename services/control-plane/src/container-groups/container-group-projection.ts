import { parseStreamId } from '#libs/domain';
import { rebuildBeside } from '../rebuild/rebuild-beside.ts';
import type { Projection } from '../streams/projection.ts';
import { containerGroupRow } from './container-group-row.ts';
import { containerGroupTables } from './container-group-tables.ts';
import { LIVE, writeRows } from './write-rows.ts';

/** Streams of one load: their events are held at once. */
const STREAMS_PER_LOAD = 500;

/** The read model of container groups, with the counts of the live view. One reader writes it, and what people decide rests on streams: it may lag. */
export const containerGroupProjection: Projection = {
  name: 'container groups',
  tables: [LIVE.groups, LIVE.counts],
  tells: ({ streamId }) => parseStreamId(streamId) !== undefined,
  isPrompt: false,
  async apply(streamIds, transaction, store) {
    for (let start = 0; start < streamIds.length; start += STREAMS_PER_LOAD) {
      const loaded = await store.loadMany(streamIds.slice(start, start + STREAMS_PER_LOAD));
      await writeRows(transaction, LIVE, [...loaded.values()].map(containerGroupRow));
    }
  },
  rebuild: (parts, options) => rebuildBeside(containerGroupTables, parts, options),
};
