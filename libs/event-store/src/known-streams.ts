import type { RecordedEvent } from './event-store.ts';

interface Known {
  readonly generation: number;
  /** Versions 1, 2, … without a gap. */
  readonly events: RecordedEvent[];
}

/**
 * Events of the streams that were used last. Events never change, so a reader needs only those that were added; whether there are any is asked of
 * the database each time. The lists are shared: whoever gets one must not change it.
 */
export class KnownStreams {
  private readonly max: number;
  private readonly streams = new Map<string, Known>();

  /** `max`: streams; the one that was not used for longest is forgotten first. */
  constructor(max: number) {
    this.max = max;
  }

  /** How many events of the stream are known: the version after which to read. */
  version(streamId: string): number {
    return this.streams.get(streamId)?.events.length ?? 0;
  }

  /**
   * All events of a stream whose head has `version`, when `added` holds those that were read after {@link version}; undefined when what is known
   * does not belong to this stream (the database was restored to an earlier day): it is forgotten, and all has to be read.
   */
  complete(
    streamId: string,
    { version, generation }: { readonly version: number; readonly generation: number },
    added: readonly RecordedEvent[],
  ): readonly RecordedEvent[] | undefined {
    let known = this.streams.get(streamId);
    if (known && known.generation !== generation) known = undefined;
    const before = known?.events ?? [];
    // A reader beside us may have added the same events meanwhile.
    const news = added.filter((event) => event.version > before.length);
    if (
      before.length + news.length < version ||
      news.some((event, index) => event.version !== before.length + index + 1)
    ) {
      this.streams.delete(streamId);
      return undefined;
    }
    const events = news.length === 0 ? before : [...before, ...news];
    this.keep(streamId, { generation, events });
    // What somebody else added meanwhile is not part of this answer.
    return events.length === version ? events : events.slice(0, version);
  }

  /** An event that was read elsewhere: kept when it is the next one of its stream, or its first. */
  add(event: RecordedEvent): void {
    const { streamId, version } = event;
    const { generation } = event.cursor;
    const known = this.streams.get(streamId);
    if (version === 1 && !known) this.keep(streamId, { generation, events: [event] });
    else if (known?.generation === generation && known.events.length === version - 1)
      this.keep(streamId, { generation, events: [...known.events, event] });
  }

  private keep(streamId: string, known: Known): void {
    this.streams.delete(streamId);
    this.streams.set(streamId, known);
    if (this.streams.size <= this.max) return;
    const [oldest] = this.streams.keys();
    if (oldest !== undefined) this.streams.delete(oldest);
  }
}
