import { describe, expect, it } from 'vitest';
import { CatchUp } from './catch-up.ts';
import type { MessagingEvent } from './messaging.ts';

/** What a reader was told of the one partition of topic `t`, in order. */
function told() {
  const events: MessagingEvent['kind'][] = [];
  const catchUp = new CatchUp({
    topics: ['t'],
    group: 'g',
    handle: () => Promise.resolve(),
    onEvent: ({ kind }) => events.push(kind),
  });
  const assign = (end: bigint): void => {
    catchUp.announce('t', 0);
    catchUp.assigned('t');
    catchUp.end('t', 0, end);
  };
  return { events, catchUp, assign };
}

describe('a reader of a partition', () => {
  it('knows a part of it until the end that it had at the assignment', () => {
    const { events, catchUp, assign } = told();
    assign(3n);
    catchUp.reached('t', 0, 2n);
    expect(events).toEqual(['behind']);

    catchUp.end('t', 0, 9n);
    catchUp.reached('t', 0, 3n);

    expect(events).toEqual(['behind', 'caught-up']);
  });

  it('is not set back when it keeps the partition', () => {
    const { events, catchUp, assign } = told();
    assign(0n);
    catchUp.reached('t', 0, 0n);

    assign(5n);

    expect(events).toEqual(['behind', 'caught-up']);
  });

  it.each<[string, (catchUp: CatchUp) => void]>([
    ['was taken away and comes back', (catchUp) => catchUp.lost('t', 0)],
    ['begins anew', (catchUp) => catchUp.again('t', 0)],
  ])('knows a part of it once more when it %s', (_, happens) => {
    const { events, catchUp, assign } = told();
    assign(0n);
    catchUp.reached('t', 0, 0n);

    happens(catchUp);
    expect(events.at(-1)).toBe('behind');
    assign(2n);
    catchUp.reached('t', 0, 1n);
    expect(events.at(-1)).toBe('behind');
    catchUp.reached('t', 0, 2n);

    expect(events.at(-1)).toBe('caught-up');
  });
});
