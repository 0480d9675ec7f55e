import { checkEvent, checkStream, InvalidAppend } from './append-checks.ts';
import {
  boolArray,
  byteaArray,
  int2Array,
  int4Array,
  int8Array,
  jsonbArray,
  textArray,
  uuidArray,
} from './binary-array.ts';
import { canonicalEvent } from './digest.ts';
import type { EffectChange, InboxMove, NewEvent, StreamAppend } from './event-store.ts';

/** Parameters of `es.append_2`, in their order, but for the inbox and the jitter. */
export type AppendRequest = readonly (Buffer | string | null)[];

/** Rows beside the streams, in the order of the parameters. */
const BESIDE = ['put', 'removed', 'timers', 'parked', 'aliases', 'sealed'] as const;

export function appendRequest(streams: readonly StreamAppend[]): AppendRequest {
  const seen = new Set<string>();
  const events = new EventColumns();
  const touched: boolean[] = [];
  const claims: ((StreamAppend['claim'] & { readonly putAgain: boolean }) | undefined)[] = [];
  const beside: { [table: string]: object[] } = {};
  const lay = (table: string, row: object): void => void (beside[table] ??= []).push(row);
  const blobs: Uint8Array[] = [];
  const blob = (bytes: Uint8Array): number => blobs.push(bytes);

  streams.forEach((stream, index) => {
    const s = index + 1;
    const { streamId } = stream;
    checkStream(stream, seen);

    stream.events.forEach((event, i) => {
      const version = stream.expected + i + 1;
      try {
        events.add(s, streamId, version, event);
      } catch (error) {
        throw new InvalidAppend(
          `append to ${streamId}: ${event.type} (version ${version}) cannot be stored: ${(error as Error).message}`,
          {
            cause: error,
          },
        );
      }
    });

    const effects = lastOfEach(stream.effects ?? []);
    const { claim } = stream;
    touched.push(effects.length > 0 || claim !== undefined);
    const putAgain = (e: EffectChange): boolean => e.op === 'put' && e.kind === claim?.kind && e.key === claim.key;
    claims.push(claim && { ...claim, putAgain: effects.some(putAgain) });
    for (const effect of effects) {
      if (effect.op === 'put') lay('put', putRow(s, effect, blob));
      else lay('removed', { s, kind: effect.kind, key: effect.key, unless_claimed: effect.unlessClaimed });
    }
    for (const timer of new Map((stream.timers ?? []).map((t) => [t.name, t])).values()) {
      lay(
        'timers',
        timer.op === 'put'
          ? { s, op: 'put', name: timer.name, due_at: timer.dueAt, data: timer.data }
          : { s, ...timer },
      );
    }
    if (stream.parked !== undefined) lay('parked', { s, ...stream.parked });
    for (const alias of new Set(stream.aliases)) lay('aliases', { s, alias });
    if (stream.sealed === 'destroy') lay('sealed', { s });
    else if (stream.sealed) {
      const { wrappedKey, keyId, sealed } = stream.sealed.put;
      lay('sealed', { s, key_id: keyId, wrapped: blob(wrappedKey), blob: blob(sealed) });
    }
  });

  const rows = BESIDE.map((table) => (beside[table] ? JSON.stringify(beside[table]) : null));
  for (const text of rows) refuseNul(text, streams);
  for (const text of [...events.data, ...events.metadata]) refuseNul(text, streams);
  for (const { streamId } of streams) if (streamId.includes('\0')) refuseNul(JSON.stringify(streamId), streams);
  for (const type of events.types) if (type.includes('\0')) refuseNul(JSON.stringify(type), streams);
  const someClaim = claims.some((claim) => claim !== undefined);
  return [
    textArray(streams.map(({ streamId }) => streamId)),
    int8Array(streams.map(({ expected }) => expected)),
    int4Array(streams.map(({ events: { length } }) => length)),
    boolArray(streams.map(({ closed }) => closed === true)),
    boolArray(touched),
    someClaim ? textArray(claims.map((claim) => claim?.kind ?? null)) : null,
    someClaim ? textArray(claims.map((claim) => claim?.key ?? null)) : null,
    someClaim ? textArray(claims.map((claim) => claim?.claimId ?? null)) : null,
    someClaim ? boolArray(claims.map((claim) => claim?.putAgain === true)) : null,
    ...events.arrays(),
    ...rows,
    blobs.length > 0 ? byteaArray(blobs) : null,
  ];
}

export function inboxJson(move: InboxMove): string {
  const { group, ...rest } = move;
  return JSON.stringify({ consumer_group: group, ...rest });
}

/** Events of all streams, column by column. */
class EventColumns {
  readonly types: string[] = [];
  readonly data: string[] = [];
  readonly metadata: string[] = [];
  private readonly streams: number[] = [];
  private readonly versions: number[] = [];
  private readonly eventIds: string[] = [];
  private readonly schemaVersions: number[] = [];
  private readonly digests: Uint8Array[] = [];

  add(s: number, streamId: string, version: number, event: NewEvent): void {
    checkEvent(event);
    const { eventId, data, metadata, digest } = canonicalEvent(streamId, version, event);
    this.streams.push(s);
    this.versions.push(version);
    this.eventIds.push(eventId);
    this.types.push(event.type);
    this.schemaVersions.push(event.schemaVersion);
    this.data.push(data);
    this.metadata.push(metadata);
    this.digests.push(digest);
  }

  arrays(): readonly Buffer[] {
    return [
      int4Array(this.streams),
      int8Array(this.versions),
      uuidArray(this.eventIds),
      textArray(this.types),
      int2Array(this.schemaVersions),
      jsonbArray(this.data),
      jsonbArray(this.metadata),
      byteaArray(this.digests),
    ];
  }
}

function putRow(s: number, effect: Extract<EffectChange, { op: 'put' }>, blob: (bytes: Uint8Array) => number): object {
  return {
    s,
    kind: effect.kind,
    key: effect.key,
    lane: effect.lane,
    tenant: effect.tenant,
    priority: effect.priority,
    after_ms: effect.afterMs,
    data: effect.data,
    blob: effect.sealed && blob(effect.sealed),
    claim_id: effect.claim?.claimId,
    lease_ms: effect.claim?.leaseMs,
  };
}

/** One change for each row: the last that was said of it. */
export function lastOfEach(effects: readonly EffectChange[]): readonly EffectChange[] {
  return effects.length < 2 ? effects : [...new Map(effects.map((e) => [JSON.stringify([e.kind, e.key]), e])).values()];
}

/** PostgreSQL's text cannot hold the character 0; said here, where the stream is known. */
function refuseNul(json: string | null, streams: readonly StreamAppend[]): void {
  if (json === null || !json.includes('\\u0000') || !/(?<!\\)(?:\\\\)*\\u0000/.test(json)) return;
  const culprit = streams.find((stream) => /(?<!\\)(?:\\\\)*\\u0000/.test(JSON.stringify(stream)));
  throw new InvalidAppend(
    `append to ${culprit?.streamId.replaceAll('\0', '\\0') ?? 'a stream'}: the character U+0000 cannot be stored`,
  );
}
