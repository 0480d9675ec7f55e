import type { Cursor, EventStore, SqlClient } from '#libs/event-store';
import type { Clock, Random } from '#libs/runtime';
import type { Pool } from 'pg';

/**
 * Rows that are made of the events of streams, and of nothing else. Lives in the folder of its noun, and is a line of `projections.ts`; role
 * `project` keeps its rows, and the command `rebuild` makes them anew.
 */
export interface Projection {
  /** As people say it, such as `held stops`. */
  readonly name: string;
  /** Tables that it writes, with their schema. */
  readonly tables: readonly string[];
  /** Whether rows are to be written when this event came. Looks at nothing but the id of its stream and its type. */
  tells(event: Told): boolean;
  /**
   * Writes what the rows of these streams are by all of their events: the same streams again, or in another order, end in the same rows.
   * `transaction`: the one that moves the reader's checkpoint. `store`: events as they are stored.
   */
  apply(streamIds: readonly string[], transaction: SqlClient, store: EventStore): Promise<void>;
  /**
   * Whether it is applied beside each append as well, by whoever appended: for rows on which people or loops decide next. Then any number of
   * processes may apply it to one stream at once.
   */
  readonly isPrompt: boolean;
  /** Rows that are not what the events of their streams tell, in the snapshot of `client`; absent: the doctor looks stream by stream. */
  readonly differences?: (client: SqlClient) => Promise<readonly Difference[]>;
  /** Makes all of its rows anew while they serve, and says in what those that served were wrong. */
  rebuild(parts: RebuildParts, options: RebuildOptions): Promise<Rebuilt>;
}

interface Told {
  readonly streamId: string;
  readonly type: string;
}

/** Streams of which a projection has to hear, each once, in order of first appearance. */
export function streamsToldBy(projection: Pick<Projection, 'tells'>, events: readonly Told[]): readonly string[] {
  return [...new Set(events.filter((event) => projection.tells(event)).map(({ streamId }) => streamId))];
}

export interface RebuildParts {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly random: Random;
}

export interface RebuildOptions {
  /** Leave the rows that serve as they are; default false. */
  readonly compareOnly?: boolean;
  /** Connections that fill at once; default 2. */
  readonly workers?: number;
  /** Streams from which a new table grows with its indexes instead of getting them afterwards; default 250,000. */
  readonly indexFirstFrom?: number;
  /** Differences listed at most; default 100. */
  readonly most?: number;
  readonly progress?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** One row, or one count, in which the rows that serve are wrong. Never holds values: they may be long, and columns say enough. */
export interface Difference {
  readonly what: string;
  readonly streamId?: string;
}

export interface Rebuilt {
  readonly rows: number;
  /** Rows whose stream went on meanwhile: compared at their own version. */
  readonly moving: number;
  readonly differences: readonly Difference[];
  /** More were found than are listed. */
  readonly more: boolean;
  readonly streams: number;
  readonly events: number;
  readonly seconds: number;
  /** The rows that were made serve now. */
  readonly taken: boolean;
  /** Streams whose events cannot be folded: their rows, if any, stayed as they were, and they are parked for the reader. */
  readonly failed: readonly string[];
  /** Of rows that were made beside those that served: where both stood when they were compared, and hashes over those at one version, 16 hex digits each. */
  readonly beside?: { readonly place: Cursor; readonly serving: string; readonly rebuilt: string };
}

/** Stopped by the operator. */
export class RebuildStopped extends Error {
  override readonly name = 'RebuildStopped';

  constructor() {
    super('stopped; tables that were not said to be done serve on');
  }
}

export function refuseStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new RebuildStopped();
}
