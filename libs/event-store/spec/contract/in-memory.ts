import { VirtualClock } from '#libs/runtime';
import {
  InMemoryCatalogue,
  InMemoryCheckpoints,
  InMemoryDatabase,
  InMemoryEffectQueue,
  InMemoryEventStore,
  InMemoryGateQueue,
  InMemoryTimerQueue,
} from '../../src/in-memory/index.ts';
import type { StoreUnderTest } from './under-test.ts';

interface InMemoryUnderTest extends StoreUnderTest {
  readonly database: InMemoryDatabase;
  readonly effects: InMemoryEffectQueue;
  readonly gates: InMemoryGateQueue;
}

/** Time that steps back too, as the database's may. */
class SteppingClock extends VirtualClock {
  private steppedBackMs = 0;

  override now(): number {
    return super.now() - this.steppedBackMs;
  }

  stepBack(ms: number): void {
    this.steppedBackMs += ms;
  }
}

/** The store in memory, empty, on a clock of its own that begins at `startMs`. */
export function inMemoryUnderTest(startMs?: number): InMemoryUnderTest {
  const clock = new SteppingClock(startMs);
  const database = new InMemoryDatabase({ clock });
  return {
    database,
    store: new InMemoryEventStore(database),
    effects: new InMemoryEffectQueue(database),
    gates: new InMemoryGateQueue(database),
    timers: new InMemoryTimerQueue(database),
    catalogue: new InMemoryCatalogue(database),
    checkpoints: new InMemoryCheckpoints(database),
    closedStreams() {
      const closed = [...database.contents().streams.values()].filter((stream) => stream.closedAt !== undefined);
      return Promise.resolve(closed.map((stream) => stream.streamId).sort());
    },
    async advance(ms) {
      if (ms < 0) clock.stepBack(-ms);
      else await clock.advance(ms);
    },
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
