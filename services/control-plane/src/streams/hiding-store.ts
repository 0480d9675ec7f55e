import {
  EventStoreAround,
  type AppendResult,
  type EventStore,
  type InboxMove,
  type NewEvent,
  type RecordedEvent,
  type StreamAppend,
} from '#libs/event-store';
import type { HiddenPart } from '#libs/contracts';
import type { Clock } from '#libs/runtime';
import { CannotOpen, hiddenPurpose, type StreamKey, type StreamVault } from '../keys/stream-vault.ts';
import { hideTexts, HIDING_SCHEMA_VERSION, revealTexts } from './hidden-texts.ts';

/** Keys that are remembered, with what they opened; and for how long, so that no process shows what was erased elsewhere. */
const KNOWN_KEYS = 5_000;
const KNOWN_FOR_MS = 600_000;

interface Known {
  readonly key: StreamKey;
  readonly since: number;
  /** The store gives the same objects to all who read them. */
  readonly opened: WeakMap<RecordedEvent, RecordedEvent>;
}

interface HidingStoreParts {
  readonly inner: EventStore;
  /** Of display keys. */
  readonly vault: StreamVault;
  /** Hide what is written from now on. What is hidden already is opened either way. */
  readonly hides: boolean;
  readonly clock: Clock;
}

/**
 * Events as those work with them who decide, and who tell a pod's owner: open in memory, while what is not for ever rests sealed under the stream's
 * display key. What was erased is missing, or an empty text. Whoever passes events on, keeps rows of them or proves them reads the store inside:
 * so does {@link readAll}, which opens nothing.
 */
export class HidingEventStore extends EventStoreAround {
  private readonly parts: HidingStoreParts;
  private readonly known = new Map<string, Known>();

  constructor(parts: HidingStoreParts) {
    super(parts.inner);
    this.parts = parts;
  }

  override async loadMany(streamIds: readonly string[]): Promise<ReadonlyMap<string, readonly RecordedEvent[]>> {
    const loaded = await this.inner.loadMany(streamIds);
    const hiding = [...loaded].filter(([, events]) => events.some(isSealed)).map(([streamId]) => streamId);
    if (hiding.length === 0) return loaded;
    const known = await this.keysOf(hiding);
    const opened = new Map(loaded);
    for (const streamId of hiding) {
      const key = known.get(streamId);
      if (key)
        opened.set(
          streamId,
          loaded.get(streamId)!.map((event) => openedOf(event, key)),
        );
    }
    return opened;
  }

  override async append(streams: readonly StreamAppend[], inbox?: InboxMove): Promise<readonly AppendResult[]> {
    const { inner } = this;
    const { vault } = this.parts;
    if (!this.parts.hides) return inner.append(streams, inbox);
    const parted = streams.map(({ events }) => events.map(hideTexts));
    const hides = parted.map((events) => events.some(({ hidden }) => hidden.length > 0));
    const hiding = streams.filter((_, index) => hides[index]);
    // A key comes with the first version that needs one: where it was not there before, another append that made one makes ours a conflict.
    const known = await this.keysOf(hiding.filter(({ expected }) => expected > 0).map(({ streamId }) => streamId));
    const made = new Map<string, StreamKey>();
    for (const { streamId } of hiding) if (!known.has(streamId)) made.set(streamId, vault.create(streamId));
    const results = await inner.append(
      streams.map((stream, index): StreamAppend => {
        if (!hides[index]) return stream;
        const key = made.get(stream.streamId) ?? known.get(stream.streamId)?.key;
        const events = stream.events.map((event, i) => sealedEvent(event, parted[index]![i]!, key));
        const eventKey = made.get(stream.streamId)?.wrapped;
        return { ...stream, events, ...(eventKey && { eventKey }) };
      }),
      inbox,
    );
    for (const { ok, streamId } of results) {
      const key = made.get(streamId);
      if (ok && key) this.remember(streamId, key);
    }
    return results;
  }

  /** Those that have or had one; undefined for one that was forgotten. Asks the store only for what is not known. */
  private async keysOf(streamIds: readonly string[]): Promise<ReadonlyMap<string, Known | undefined>> {
    const found = new Map<string, Known | undefined>();
    const unknown: string[] = [];
    for (const streamId of streamIds) {
      const known = this.recall(streamId);
      if (known) found.set(streamId, known);
      else unknown.push(streamId);
    }
    if (unknown.length === 0) return found;
    for (const [streamId, { key }] of await this.inner.readEventKeys(unknown))
      found.set(streamId, key && this.remember(streamId, this.parts.vault.unlock(streamId, key)));
    return found;
  }

  private recall(streamId: string): Known | undefined {
    const known = this.known.get(streamId);
    if (known && this.parts.clock.now() - known.since < KNOWN_FOR_MS) return known;
    if (known) this.known.delete(streamId);
    return undefined;
  }

  private remember(streamId: string, key: StreamKey): Known {
    const known = { key, since: this.parts.clock.now(), opened: new WeakMap<RecordedEvent, RecordedEvent>() };
    this.known.delete(streamId);
    this.known.set(streamId, known);
    if (this.known.size > KNOWN_KEYS) this.known.delete(this.known.keys().next().value!);
    return known;
  }
}

const isSealed = ({ schemaVersion, data }: RecordedEvent): boolean =>
  schemaVersion === HIDING_SCHEMA_VERSION && typeof data['hidden'] === 'string';

/** Without a key what is hidden is erased at once: its time was over. */
function sealedEvent(event: NewEvent, parted: ReturnType<typeof hideTexts>, key: StreamKey | undefined): NewEvent {
  if (parted.hidden.length === 0) return event;
  const hidden = key?.seal(parted.hidden, hiddenPurpose(event.eventId)).toString('base64url') ?? '';
  return { ...event, schemaVersion: HIDING_SCHEMA_VERSION, data: { ...parted.data, hidden } };
}

function openedOf(event: RecordedEvent, { key, opened }: Known): RecordedEvent {
  const before = opened.get(event);
  if (before) return before;
  const now = openedEvent(event, key);
  opened.set(event, now);
  return now;
}

/** The event with what is hidden in it, when the key opens that; else as it is. */
export function openedEvent(event: RecordedEvent, key: StreamKey): RecordedEvent {
  if (!isSealed(event)) return event;
  const { hidden, ...data } = event.data;
  try {
    const parts = key.open(Buffer.from(hidden as string, 'base64url'), hiddenPurpose(event.eventId));
    return { ...event, data: revealTexts(data, parts as readonly HiddenPart[]) };
  } catch (error) {
    // Erased when it was written, or changed since, which the audit tells.
    if (error instanceof CannotOpen) return event;
    throw error;
  }
}
