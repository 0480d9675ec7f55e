import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeCursor, InvalidCursor, type Cursor } from '#libs/event-store';
import { isWhole, sealFromEvent } from '../seal-message.ts';
import type { FullSeal } from '../seal.ts';

/** An event of the feed, as far as it is evidence. */
export interface PublishedEvent {
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  readonly recordedAt: string;
  readonly digest: string;
  readonly cursor: Cursor | undefined;
}

/** Seals that were told on the feed, found by their number. */
export interface PublishedSeals {
  readonly count: number;
  readonly first: number | undefined;
  readonly last: number | undefined;
  get(sequence: number): Promise<FullSeal | undefined>;
  /** Numbers under which two different seals were told. */
  readonly forked: readonly number[];
  /** Seals that do not hash to their own digest: no evidence. */
  readonly unsound: readonly number[];
  /** Messages that call themselves seals and break their schema. */
  readonly unreadable: number;
}

interface Place {
  readonly offset: number;
  readonly length: number;
  readonly digest: string;
}

/**
 * What the feed told, kept in a file of JSON lines (CloudEvents): seals are found again by their place in the file, so memory grows by some 100
 * bytes a seal, and events are handed on as they come.
 */
export class PublishedCopy implements PublishedSeals {
  private readonly file: FileHandle;
  private readonly dispose: () => Promise<void>;
  private readonly places = new Map<number, Place>();
  readonly forked: number[] = [];
  readonly unsound: number[] = [];
  first: number | undefined;
  last: number | undefined;
  unreadable = 0;
  private end = 0;

  private constructor(file: FileHandle, dispose: () => Promise<void>) {
    this.file = file;
    this.dispose = dispose;
  }

  /** Of a file that an auditor kept. Lines that are no CloudEvents of ours are passed over. */
  static async fromFile(
    path: string,
    onEvents: (events: readonly PublishedEvent[]) => Promise<void>,
  ): Promise<PublishedCopy> {
    const copy = new PublishedCopy(await open(path, 'r'), () => Promise.resolve());
    let events: PublishedEvent[] = [];
    for await (const { text, offset, length } of lines(path)) {
      const event = copy.take(text, offset, length);
      if (event) events.push(event);
      if (events.length < 500) continue;
      await onEvents(events);
      events = [];
    }
    await onEvents(events);
    return copy;
  }

  /** To be filled from the feed. `keep`: the file to write, which must not exist yet; absent: one that is removed in the end. */
  static async empty(keep: string | undefined): Promise<PublishedCopy> {
    if (keep !== undefined) return new PublishedCopy(await open(keep, 'wx+', 0o600), () => Promise.resolve());
    const folder = await mkdtemp(join(tmpdir(), 'eci-fleet-audit-'));
    return new PublishedCopy(await open(join(folder, 'seals.jsonl'), 'wx+', 0o600), () =>
      rm(folder, { recursive: true, force: true }),
    );
  }

  /** Takes messages of the feed in order: keeps the seals among them, answers the events. */
  async add(values: readonly string[]): Promise<readonly PublishedEvent[]> {
    const events: PublishedEvent[] = [];
    for (const value of values) {
      const text = value.replaceAll('\n', ' ');
      const length = Buffer.byteLength(text);
      const known = this.places.size;
      const event = this.take(text, this.end, length);
      if (event) events.push(event);
      if (this.places.size === known) continue;
      await this.file.write(`${text}\n`, this.end);
      this.end += length + 1;
    }
    return events;
  }

  get count(): number {
    return this.places.size;
  }

  async get(sequence: number): Promise<FullSeal | undefined> {
    const place = this.places.get(sequence);
    if (!place) return undefined;
    const { buffer } = await this.file.read(Buffer.alloc(place.length), 0, place.length, place.offset);
    return sealFromEvent(JSON.parse(buffer.toString('utf8')));
  }

  async close(): Promise<void> {
    await this.file.close();
    await this.dispose();
  }

  private take(text: string, offset: number, length: number): PublishedEvent | undefined {
    const event = parsed(text);
    const seal = this.sealIn(event);
    if (seal === 'unreadable') return undefined;
    if (!seal) return publishedEvent(event);
    const { sequence, digest } = seal;
    if (!isWhole(seal)) {
      this.unsound.push(sequence);
      return undefined;
    }
    const known = this.places.get(sequence);
    if (known) {
      if (known.digest !== digest && !this.forked.includes(sequence)) this.forked.push(sequence);
      return undefined;
    }
    this.places.set(sequence, { offset, length, digest });
    this.first = Math.min(this.first ?? sequence, sequence);
    this.last = Math.max(this.last ?? sequence, sequence);
    return undefined;
  }

  private sealIn(event: unknown): FullSeal | 'unreadable' | undefined {
    try {
      return sealFromEvent(event);
    } catch {
      this.unreadable += 1;
      return 'unreadable';
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An event with a digest; one that an older version published bears none and proves nothing. */
function publishedEvent(value: unknown): PublishedEvent | undefined {
  const event = (value ?? {}) as Record<string, unknown>;
  const { type, subject, sequence, digest, recordedat, time, cursor } = event;
  if (typeof type !== 'string' || typeof subject !== 'string' || typeof digest !== 'string') return undefined;
  const version = Number(sequence);
  if (!Number.isSafeInteger(version) || version < 1) return undefined;
  return {
    streamId: subject,
    version,
    // `eci-fleet.container-group.<type>.v<schema version>`
    type: /\.([^.]+)\.v\d+$/.exec(type)?.[1] ?? type,
    recordedAt: String(recordedat ?? time ?? 'unknown'),
    digest,
    cursor: typeof cursor === 'string' ? cursorOf(cursor) : undefined,
  };
}

function cursorOf(text: string): Cursor | undefined {
  try {
    return decodeCursor(text);
  } catch (error) {
    if (error instanceof InvalidCursor) return undefined;
    throw error;
  }
}

async function* lines(path: string): AsyncGenerator<{ text: string; offset: number; length: number }> {
  const stream = createReadStream(path, { highWaterMark: 1 << 20 });
  let rest = Buffer.alloc(0);
  let offset = 0;
  const line = (bytes: Buffer): { text: string; offset: number; length: number } => ({
    text: bytes.toString('utf8'),
    offset,
    length: bytes.length,
  });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      const found = line(rest.subarray(0, at));
      if (at > 0) yield found;
      offset += at + 1;
      rest = rest.subarray(at + 1);
    }
  }
  if (rest.length > 0) yield line(rest);
  if (!stream.closed) await once(stream, 'close');
}
