import { Query, QueryHandler, type IQueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { EventStore, type RecordedEvent } from '#libs/event-store';
import { PageCursor, pageOf, PageQuery } from '../answers/page.ts';
import { notFound } from '../answers/refusal.ts';
import { DisplayKeys, type HiddenView } from '../keys/display-keys.ts';
import { EventView, eventView, hides, historyData } from './event-view.ts';
import { StreamFinder } from './find-stream.ts';

const CURSOR = new PageCursor('history', z.tuple([z.int().min(1)]));

export const HistoryPage = z
  .object({ streamId: z.string(), items: z.array(EventView), nextCursor: z.string().optional() })
  .meta({ id: 'HistoryPage' });
export type HistoryPage = z.infer<typeof HistoryPage>;

/** What happened to this container group, when, through whom and why? Every event, oldest first. */
export class GetHistory extends Query<HistoryPage> {
  readonly id: string;
  readonly page: z.infer<typeof PageQuery>;

  constructor(id: string, page: z.infer<typeof PageQuery>) {
    super();
    this.id = id;
    this.page = page;
  }
}

@QueryHandler(GetHistory)
export class GetHistoryHandler implements IQueryHandler<GetHistory> {
  constructor(
    private readonly store: EventStore,
    private readonly finder: StreamFinder,
    private readonly displayKeys: DisplayKeys,
  ) {}

  async execute({ id, page }: GetHistory): Promise<HistoryPage> {
    const part = partOf(page);
    const streamId = await this.finder.find(id);
    const events = (await this.store.loadMany([streamId])).get(streamId);
    if (!events) throw notFound(`there is no container group ${streamId}`);
    const hidden = events.some(hides) ? await this.displayKeys.of(streamId) : { shown: false };
    return historyPage(streamId, events, part, hidden);
  }
}

/** What happened to what a stream of another kind tells of? Every event, oldest first; nothing in it is hidden. */
export class GetStreamHistory extends Query<HistoryPage> {
  readonly streamId: string;
  readonly page: z.infer<typeof PageQuery>;

  constructor(streamId: string, page: z.infer<typeof PageQuery>) {
    super();
    this.streamId = streamId;
    this.page = page;
  }
}

@QueryHandler(GetStreamHistory)
export class GetStreamHistoryHandler implements IQueryHandler<GetStreamHistory> {
  constructor(private readonly store: EventStore) {}

  async execute({ streamId, page }: GetStreamHistory): Promise<HistoryPage> {
    const part = partOf(page);
    const events = (await this.store.loadMany([streamId])).get(streamId);
    if (!events) throw notFound(`there is no history of ${streamId.slice(0, 100)}`);
    return historyPage(streamId, events, part, { shown: false });
  }
}

interface Part {
  /** Version of the last event that was shown. */
  readonly after: number;
  readonly limit: number;
}

const partOf = ({ cursor, limit }: z.infer<typeof PageQuery>): Part => ({
  after: cursor === undefined ? 0 : CURSOR.decode(cursor)[0],
  limit,
});

function historyPage(
  streamId: string,
  events: readonly RecordedEvent[],
  { after, limit }: Part,
  hidden: HiddenView,
): HistoryPage {
  const page = pageOf(
    events.filter((event) => event.version > after),
    limit,
    (event) => eventView(event, historyData(event, hidden), hidden),
    (event) => CURSOR.encode([event.version]),
  );
  return { streamId, ...page, items: [...page.items] };
}
