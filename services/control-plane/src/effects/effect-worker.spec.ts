import { InMemoryDatabase, InMemoryEffectQueue, InMemoryEventStore, type EffectRow } from '#libs/event-store';
import { Metrics, silentLogger } from '#libs/observability';
import { SeededIds, SeededRandom, VirtualClock } from '#libs/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crewsOf } from './crews.ts';
import { EffectWorker } from './effect-worker.ts';
import { EffectHandler, type Releases } from './held-effect.ts';
import { effectTools } from './tools.ts';

const LANE = 'acc/cn-hangzhou/delete';

let clock: VirtualClock;
let store: InMemoryEventStore;
let queue: InMemoryEffectQueue;
let worker: EffectWorker | undefined;
/** What was begun: kind, and the row's key. */
let begun: string[];
let places: string[];

beforeEach(() => {
  clock = new VirtualClock();
  const database = new InMemoryDatabase({ clock });
  store = new InMemoryEventStore(database);
  queue = new InMemoryEffectQueue(database);
  begun = [];
  places = [];
});
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});

interface Brings {
  readonly kind: string;
  readonly action?: string;
  readonly concurrency?: number;
  readonly leaseMs?: number;
}

/** Notes its rows and gives them back for an hour. */
class Noting extends EffectHandler {
  readonly kind: string;
  readonly action: string;
  readonly concurrency: number;
  readonly leaseMs: number;
  releases: Releases | undefined;

  constructor({ kind, action = 'delete', concurrency = 100, leaseMs = 20_000 }: Brings) {
    super();
    this.kind = kind;
    this.action = action;
    this.concurrency = concurrency;
    this.leaseMs = leaseMs;
  }

  async run(rows: readonly EffectRow[]): Promise<void> {
    begun.push(...rows.map(({ key }) => `${this.kind} ${key}`));
    for (const row of rows) await this.end(row);
  }

  protected async end(row: EffectRow): Promise<void> {
    await this.releases?.release(row, { afterMs: 3_600_000, notSent: true });
  }
}

/** Its rows end when they are told to. */
class Slow extends Noting {
  private readonly open: (() => void)[] = [];

  endOne(): void {
    this.open.shift()?.();
  }

  override async run(rows: readonly EffectRow[], settled?: (row: EffectRow) => void): Promise<void> {
    begun.push(...rows.map(({ key }) => `${this.kind} ${key}`));
    await Promise.all(
      rows.map(async (row) => {
        await new Promise<void>((resolve) => this.open.push(resolve));
        await this.end(row);
        settled?.(row);
      }),
    );
  }
}

function start(...handlers: readonly Noting[]): void {
  const random = new SeededRandom(1);
  const metrics = new Metrics();
  const parts = {
    fleet: 'f',
    streams: { loadEach: () => Promise.resolve({ states: new Map(), failed: new Map() }) },
    queue,
    gates: { look: () => Promise.resolve(new Map()), report: () => Promise.resolve() },
    scopes: {
      ensure: (accountId: string, region: string) => Promise.resolve(void places.push(`${accountId}/${region}`)),
      knownGroups: () => Promise.resolve(new Map<string, string>()),
    },
    clock,
    random,
    ids: new SeededIds(random),
    logger: silentLogger,
    metrics,
  };
  const tools = effectTools(parts);
  for (const handler of handlers) handler.releases = tools.releases;
  worker = new EffectWorker(parts, tools, handlers);
  worker.start();
}

async function put(kind: string, tenant: string, count: number, lane = LANE): Promise<void> {
  await store.append(
    Array.from({ length: count }, (_, i) => ({
      streamId: `${kind} of ${tenant} ${i}`,
      expected: 0,
      events: [],
      effects: [{ op: 'put' as const, kind, key: `${tenant}-${i}`, lane, tenant, priority: 0, afterMs: 0, data: {} }],
    })),
  );
}

const passed = async (ms: number): Promise<void> => {
  for (let at = 0; at < ms; at += 50) await clock.advance(50);
};

describe('the worker', () => {
  it('gives each row to the handler of its kind, and prepares a place of the cloud once', async () => {
    await put('Delete', 'k1', 1);
    await put('Webhook', 'k1', 1, 'webhooks');
    start(new Noting({ kind: 'Delete' }), new Noting({ kind: 'Webhook', action: 'webhooks', concurrency: 5 }));
    await passed(500);
    await put('Delete', 'k2', 1);
    await passed(500);

    expect(begun.toSorted()).toEqual(['Delete k1-0', 'Delete k2-0', 'Webhook k1-0']);
    expect(places).toEqual(['acc/cn-hangzhou']);
  });

  it('leaves rows of a kind, or of lanes, that it has no handler for', async () => {
    await put('OfANewerVersion', 'k1', 1);
    await put('Delete', 'k1', 1);
    await put('Other', 'k1', 1, 'lane-of-a-newer-version');
    start(new Noting({ kind: 'Delete' }));
    await passed(500);

    expect(begun).toEqual(['Delete k1-0']);
    const rows = await queue.claim({ lane: LANE, kinds: ['OfANewerVersion'], max: 9, claimId: 'w', leaseMs: 1 });
    expect(rows).toMatchObject([{ attempts: 1 }]);
    expect(worker!.setAside()).toEqual([]);
  });

  it('lets tenants take turns in a lane, whatever their rows ask for', async () => {
    await queue.configureLane(LANE, { rate: 3, burst: 3 });
    await put('RemoveOrphan', 'orphans', 200);
    await put('Delete', 'k1', 10);
    await put('Delete', 'k2', 10);
    start(new Noting({ kind: 'Delete' }), new Noting({ kind: 'RemoveOrphan' }));
    await passed(5_000);

    // Neither do many removals keep deletes waiting, nor the other way round.
    const of = (tenant: string): number => begun.filter((each) => each.includes(tenant)).length;
    expect(begun.length).toBeGreaterThanOrEqual(15);
    expect(
      Math.max(of('k1-'), of('k2-'), of('orphans-')) - Math.min(of('k1-'), of('k2-'), of('orphans-')),
    ).toBeLessThan(2);
  });

  it('has no more rows of a lane in work than its handlers say, and takes the next when one is done', async () => {
    await put('Delete', 'k1', 3);
    await put('RemoveOrphan', 'orphans', 3);
    const [deletes, removals] = [
      new Slow({ kind: 'Delete', concurrency: 4 }),
      new Slow({ kind: 'RemoveOrphan', concurrency: 4 }),
    ];
    start(deletes, removals);
    await passed(1_000);
    expect(begun).toHaveLength(4);

    deletes.endOne();
    await passed(100);
    expect(begun).toHaveLength(5);
    const ending = worker!.stop();
    for (let i = 0; i < 6; i++) [deletes, removals].forEach((each) => each.endOne());
    await passed(100);
    await ending;
  });
});

describe('handlers', () => {
  it.each([
    ['take the same kind', [{ kind: 'A' }, { kind: 'A', action: 'create' }], 'two handlers of one kind among A'],
    ['differ in a lane', [{ kind: 'A' }, { kind: 'B', leaseMs: 60_000 }], 'B: another handler of delete'],
    ['differ in a lane', [{ kind: 'A' }, { kind: 'B', concurrency: 1 }], 'B: another handler of delete'],
  ])('that %s are refused', (_, brought, message) => {
    expect(() => crewsOf(brought.map((brings) => new Noting(brings)))).toThrow(message);
  });
});
