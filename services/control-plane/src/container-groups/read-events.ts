import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { EventFeed } from './event-feed.ts';
import { EventView, eventView, feedData } from './event-view.ts';

export const EventsQuery = z.strictObject({
  /** `next` of the page before; absent = from the first event; `now` = none yet, only a place to go on from. */
  after: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});

export const EventsPage = z
  .object({
    items: z.array(EventView),
    /** Always there: ask again with it, now or later. */
    next: z.string(),
  })
  .meta({ id: 'EventsPage' });
export type EventsPage = z.infer<typeof EventsPage>;

/** What has happened in the whole fleet after this place? */
export class ReadEvents extends Query<EventsPage> {
  readonly after: string | undefined;
  readonly limit: number;

  constructor({ after, limit }: z.infer<typeof EventsQuery>) {
    super();
    this.after = after;
    this.limit = limit;
  }
}

@QueryHandler(ReadEvents)
export class ReadEventsHandler implements IQueryHandler<ReadEvents> {
  constructor(private readonly feed: EventFeed) {}

  async execute({ after, limit }: ReadEvents): Promise<EventsPage> {
    const { events, next } = await this.feed.page(after, limit);
    return { items: events.map((event) => eventView(event, feedData(event))), next };
  }
}
