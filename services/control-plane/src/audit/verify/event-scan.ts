import { BEGINNING, compareCursors, type Cursor } from '#libs/event-store';
import type { HistoricEvent, History, UnsettledEvent } from './history.ts';

/** Events read at a time. */
const PAGE = 1_000;

/** One pass over the events, forwards, in bounded memory; the next page is read while this one is checked. */
export class EventScan {
  private readonly history: History;
  private page: readonly HistoricEvent[] = [];
  private at = 0;
  private next: Promise<readonly HistoricEvent[]> | undefined;
  private last: Cursor;
  private ended = false;

  constructor(history: History, after: Cursor = BEGINNING) {
    this.history = history;
    this.last = after;
  }

  /** Every event not yet given, up to and with `through`, in order. */
  async *through(through: Cursor): AsyncGenerator<HistoricEvent> {
    for (
      let event = await this.peek();
      event && compareCursors(event.cursor, through) <= 0;
      event = await this.peek()
    ) {
      this.at += 1;
      yield event;
    }
  }

  /** What lies behind the settled events, which have all been given. */
  async *unsettled(): AsyncGenerator<UnsettledEvent> {
    for (let after = this.last; ;) {
      const page = await this.history.unsettled(after, PAGE);
      yield* page;
      const end = page.at(-1);
      if (!end || page.length < PAGE) return;
      after = end.cursor;
    }
  }

  async *rest(): AsyncGenerator<HistoricEvent> {
    for (let event = await this.peek(); event; event = await this.peek()) {
      this.at += 1;
      yield event;
    }
  }

  private async peek(): Promise<HistoricEvent | undefined> {
    if (this.at >= this.page.length && !this.ended) {
      this.page = await (this.next ?? this.history.events(this.last, PAGE));
      this.at = 0;
      const end = this.page.at(-1);
      this.ended = this.page.length < PAGE;
      if (end) this.last = end.cursor;
      this.next = this.ended ? undefined : this.history.events(this.last, PAGE);
      // An error shows when the page is wanted.
      this.next?.catch(() => undefined);
    }
    return this.page[this.at];
  }
}
