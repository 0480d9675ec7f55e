/** For specs: a log in memory with its seals, as a superuser sees it: everything can be changed. */
import { compareCursors, digestOf, type Cursor, type NewEvent } from '#libs/event-store';
import { BEGINNING } from '#libs/event-store';
import { makeSeal, type FullSeal, type SealEntry, type SealSigner } from '../../src/audit/seal.ts';
import type {
  Bound,
  HistoricEvent,
  History,
  StreamFace,
  TwoFacedTable,
  UnsettledEvent,
} from '../../src/audit/verify/history.ts';
import type { PublishedSeals } from '../../src/audit/verify/published-copy.ts';

export interface StoredEvent {
  streamId: string;
  version: number;
  recordedAt: string;
  event: NewEvent;
  storedDigest: string;
  cursor: Cursor;
  /** Its transaction is none that has ended. */
  impossible?: true;
}

const digestHex = ({ streamId, version, event }: Pick<StoredEvent, 'streamId' | 'version' | 'event'>): string =>
  digestOf(streamId, version, event).toString('hex');

/** A log of events over a few streams; `n` gives each event its content. */
export function logOf(count: number, streams = 3): StoredEvent[] {
  const versions = new Map<string, number>();
  return Array.from({ length: count }, (_, n) => {
    const streamId = `s:${n % streams}`;
    const version = (versions.get(streamId) ?? 0) + 1;
    versions.set(streamId, version);
    return storedEvent(n, streamId, version, {
      generation: 1,
      transactionId: String(100 + n),
      position: String(n + 1),
    });
  });
}

export function storedEvent(n: number, streamId: string, version: number, cursor: Cursor): StoredEvent {
  const event: NewEvent = {
    eventId: `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`,
    type: n % 2 ? 'Odd' : 'Even',
    schemaVersion: 1,
    data: { n },
    metadata: { actor: 'test', decidedAt: '2026-03-01T10:00:00.000Z' },
  };
  const recordedAt = new Date(Date.UTC(2026, 2, 1, 10) + n * 1000).toISOString().replace('Z', '000Z');
  return { streamId, version, recordedAt, event, storedDigest: digestHex({ streamId, version, event }), cursor };
}

const entryOf = (stored: StoredEvent): SealEntry => ({
  streamId: stored.streamId,
  version: stored.version,
  type: stored.event.type,
  recordedAt: stored.recordedAt,
  digest: stored.storedDigest,
});

/** Seals over batches of these sizes, from the first event on; what is left over is not sealed. */
export function sealsOf(
  events: readonly StoredEvent[],
  sizes: readonly number[],
  signer: SealSigner | undefined | ((sequence: number) => SealSigner | undefined),
  accepted: readonly number[] = [],
): FullSeal[] {
  const seals: FullSeal[] = [];
  let at = 0;
  for (const size of sizes) {
    const batch = events.slice(at, at + size);
    if (batch.length === 0) break;
    at += batch.length;
    seals.push(
      makeSeal({
        fleet: 'test',
        previous: seals.at(-1),
        from: seals.at(-1)?.through ?? BEGINNING_OF_ONE,
        through: batch.at(-1)!.cursor,
        entries: batch.map(entryOf),
        sealedAt: batch.at(-1)!.recordedAt.replace(/\d{3}Z$/, 'Z'),
        signer: typeof signer === 'function' ? signer(seals.length + 1) : signer,
        accepted: accepted.includes(seals.length + 1),
      }),
    );
  }
  return seals;
}

const BEGINNING_OF_ONE: Cursor = { ...BEGINNING, generation: 1 };

export class MemoryHistory implements History {
  readonly events_: StoredEvent[];
  readonly seals_: FullSeal[];
  readonly tables: TwoFacedTable[] = [];
  private readonly heads: Map<string, number>;

  constructor(events: readonly StoredEvent[], seals: readonly FullSeal[], heads = headsOf(events)) {
    this.events_ = [...events];
    this.seals_ = [...seals];
    this.heads = heads;
  }

  firstSealFor(bound: Bound): Promise<number | undefined> {
    const found = this.seals_.find((seal) =>
      'time' in bound ? seal.recordedTo >= bound.time : compareCursors(seal.through, bound.cursor) >= 0,
    );
    return Promise.resolve(found?.sequence);
  }

  seals(from: number, limit: number): Promise<readonly FullSeal[]> {
    return Promise.resolve(this.seals_.filter(({ sequence }) => sequence >= from).slice(0, limit));
  }

  entries(sequence: number): Promise<readonly SealEntry[] | undefined> {
    return Promise.resolve(this.seals_.find((seal) => seal.sequence === sequence)?.entries);
  }

  events(after: Cursor, limit: number): Promise<readonly HistoricEvent[]> {
    const sorted = this.events_.toSorted((a, b) => compareCursors(a.cursor, b.cursor));
    return Promise.resolve(
      sorted
        .filter(({ cursor, impossible }) => !impossible && compareCursors(cursor, after) > 0)
        .slice(0, limit)
        .map(historic),
    );
  }

  unsettled(after: Cursor, limit: number): Promise<readonly UnsettledEvent[]> {
    return Promise.resolve(
      this.events_
        .filter(({ cursor, impossible }) => impossible && compareCursors(cursor, after) > 0)
        .slice(0, limit)
        .map((event) => ({ ...historic(event), isImpossible: true })),
    );
  }

  find(ids: readonly { streamId: string; version: number }[]): Promise<readonly HistoricEvent[]> {
    return Promise.resolve(
      this.events_
        .filter((e) => ids.some((id) => id.streamId === e.streamId && id.version === e.version))
        .map(historic),
    );
  }

  /** All streams: whether they are astray is for whoever asks to find out again. */
  streamsAstray(since: string | undefined): Promise<readonly StreamFace[]> {
    const ids = new Set([...this.heads.keys(), ...this.events_.map(({ streamId }) => streamId)]);
    const faces = [...ids].map((streamId): StreamFace => {
      const head = this.heads.get(streamId);
      const events = this.events_
        .filter((e) => e.streamId === streamId)
        .map((e) => ({ ...entryOf(e), isHidden: head === undefined || e.version > head }))
        .toSorted((a, b) => a.version - b.version);
      return { streamId, head, events };
    });
    return Promise.resolve(
      faces.filter(({ events }) => since === undefined || events.some((e) => e.recordedAt >= since)),
    );
  }

  twoFacedTables(): Promise<readonly TwoFacedTable[]> {
    return Promise.resolve(this.tables);
  }
}

export function headsOf(events: readonly StoredEvent[]): Map<string, number> {
  const heads = new Map<string, number>();
  for (const { streamId, version } of events) heads.set(streamId, Math.max(version, heads.get(streamId) ?? 0));
  return heads;
}

function historic(stored: StoredEvent): HistoricEvent {
  const { cursor, storedDigest } = stored;
  return { ...entryOf(stored), digest: digestHex(stored), storedDigest, cursor };
}

export function publishedSeals(seals: readonly FullSeal[]): PublishedSeals {
  return {
    count: seals.length,
    first: seals[0]?.sequence,
    last: seals.at(-1)?.sequence,
    get: (sequence) => Promise.resolve(seals.find((seal) => seal.sequence === sequence)),
    forked: [],
    unsound: [],
    unreadable: 0,
  };
}
